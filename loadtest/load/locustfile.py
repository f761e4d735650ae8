"""A day of the service in a few minutes: `make load`, or Locust's own web page.

Readers of pages are most of it, by Zipf's law; then readers of lists, uploaders, and people with
an account. When the run ends the service is asked what it has counted: a view that is missing or
too many fails the run. LOAD_PAGES (50) is how many pages are read; LOAD_PAUSE (0.1) how many
seconds a reader stays on one.
"""

import os
import uuid
from random import Random
from typing import Any

from locust import FastHttpUser, between, constant, events, tag, task

from loadtest.load import payloads
from loadtest.load.trial import Trial, listen

PAUSE = float(os.environ.get("LOAD_PAUSE", "0.1"))
API = "/api/v1"
# The service throttles requests by address, and all users of the run have the same one.
THROTTLED = 429

random = Random()
listen(events)


class User(FastHttpUser):
    """A user with a keep-alive connection."""

    abstract = True
    connection_timeout = network_timeout = 30.0

    def send(self, method: str, path: str, name: str, wanted: int, **options: Any) -> Any:
        """Return the JSON of an answer with the status `wanted`; None for any other.

        A refusal because of a throttle is no failure, but is told at the end.
        """
        with self.client.request(
            method, f"{API}{path}", name=name, catch_response=True, **options
        ) as answer:
            if answer.status_code == THROTTLED:
                Trial.throttled[name] += 1
                answer.success()
            elif answer.status_code != wanted:
                answer.failure(f"{answer.status_code}, not {wanted}: {str(answer.text)[:200]}")
            elif wanted == 204:
                answer.success()
            else:
                return answer.json()
        return None


class Reader(User):
    """Reads one page after another."""

    weight = 80
    wait_time = constant(PAUSE)

    @task
    @tag("read")
    def read(self) -> None:
        account = Trial.account
        if account is None:
            return
        page = random.choices(account.pages, cum_weights=Trial.sums)[0]
        account.sent(page)
        with self.client.get(
            f"{API}/pages/{page}/", name="pages/{id}/", catch_response=True
        ) as answer:
            if answer.status_code == 200:
                account.answered(page)
                answer.success()
            else:
                answer.failure(f"{answer.status_code}: {answer.error or answer.text}"[:200])


class Browser(User):
    """Looks through the lists."""

    weight = 10
    wait_time = between(0.5, 1.5)

    @task(5)
    def pages(self) -> None:
        self.send("GET", f"/pages/?page={random.randint(1, 5)}&page_size=1", "pages/", 200)

    @task(2)
    def search(self) -> None:
        self.send("GET", "/pages/?search=the", "pages/?search=", 200)

    @task(2)
    def top(self) -> None:
        self.send("GET", "/contents/top/?window=24h", "contents/top/", 200)

    @task(1)
    def lists(self) -> None:
        for name in ("books", "films", "categories", "files"):
            self.send("GET", f"/{name}/", f"{name}/", 200)


class Uploader(User):
    """Uploads small files, and reads their status."""

    weight = 5
    wait_time = between(1.0, 3.0)

    @task
    def upload(self) -> None:
        boundary = uuid.uuid4().hex
        name, content, kind = payloads.text_file()
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = f"{head}Content-Type: {kind}\r\n\r\n".encode() + content
        sent = self.send(
            "POST",
            "/upload/",
            "upload/",
            201,
            data=body + f"\r\n--{boundary}--\r\n".encode(),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        if sent:
            self.send("GET", f"/files/{sent['id']}/", "files/{id}/", 200)


class Member(User):
    """Registers, adds and deletes books, and comments on films."""

    weight = 5
    wait_time = between(1.0, 3.0)
    headers: dict[str, str]

    def on_start(self) -> None:
        self.headers = {}
        self.person = payloads.person()
        self.known = False

    @task
    def live(self) -> None:
        if not self.known:
            self.known = bool(
                self.send("POST", "/auth/users/", "auth/users/", 201, json=self.person)
            )
        elif not self.headers:
            known = {name: self.person[name] for name in ("username", "password")}
            token = self.send("POST", "/auth/token/login/", "auth/token/login/", 200, json=known)
            if token:
                self.headers = {"Authorization": f"Token {token['auth_token']}"}
        else:
            self.keep_books()
            self.comment()

    def keep_books(self) -> None:
        self.send("GET", "/auth/users/me/", "auth/users/me/", 200, headers=self.headers)
        made = self.send(
            "POST", "/books/", "books/", 201, json=payloads.book(), headers=self.headers
        )
        if made:
            path = f"/books/{made['id']}/"
            self.send("DELETE", path, "books/{id}/", 204, headers=self.headers)

    def comment(self) -> None:
        films = self.send("GET", "/films/?page_size=5", "films/", 200)
        for film in (films or {}).get("results", [])[:1]:
            path = f"/films/{film['id']}/comments/"
            text = {"text": "I have seen this one twice."}
            made = self.send(
                "POST", path, "films/{id}/comments/", 201, json=text, headers=self.headers
            )
            if made:
                path = f"/comments/{made['id']}/"
                self.send("DELETE", path, "comments/{id}/", 204, headers=self.headers)

    def on_stop(self) -> None:
        """Leave nothing behind."""
        if self.headers:
            body = {"current_password": self.person["password"]}
            self.send(
                "DELETE", "/auth/users/me/", "auth/users/me/", 204, json=body, headers=self.headers
            )

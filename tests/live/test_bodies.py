"""Bodies that hold something up: nothing but the ones who send them may wait."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
import requests

from loadtest.common.launcher import Copy
from tests.live.fixtures import Withstand
from tests.live.people import People


class Writer:
    """A user, and a book and a category to change."""

    def __init__(self, service: Copy) -> None:
        people = People(service)
        self.api, self.port = people.api, service.port
        self.token = people.register()
        book = {"title": "Slow", "author": "Who", "year": 2000, "isbn": "9780747532743"}
        self.book = f"/books/{self.add('/books/', book)}/"
        self.category = f"/categories/{self.add('/categories/', {'title': 'Slow'})}/"

    def add(self, path: str, body: dict[str, object]) -> int:
        headers = {"Authorization": f"Token {self.token}"}
        answer = requests.post(f"{self.api}{path}", json=body, headers=headers, timeout=3)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def begin(self, stack: ExitStack, method: str, path: str) -> None:
        """Send a request whose body never comes."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        stack.enter_context(closing(client))
        lines = [
            f"{method} /api/v1{path} HTTP/1.1", "Host: localhost",
            f"Authorization: Token {self.token}", "Content-Type: application/json",
            "Content-Length: 20", "", "{",
        ]  # fmt: skip
        client.sendall("\r\n".join(lines).encode())


@contextmanager
def slow_changes(writer: Writer) -> Iterator[None]:
    """Change a book and a category, three clients each, a byte at first and no more."""
    with ExitStack() as stack:
        for method in ("PATCH", "PUT", "DELETE"):
            for path in (writer.book, writer.category):
                writer.begin(stack, method, path)
        # Its view is to be counted, too.
        assert requests.get(f"{writer.api}{writer.book}", timeout=3).status_code == 200
        for _ in range(3):
            writer.add("/categories/", {"title": "In no time"})
        yield


def test_slow_changes_hold_nothing_up(service: Copy, withstand: Withstand) -> None:
    withstand(slow_changes(Writer(service)))


CLIENTS = 16
KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


@contextmanager
def punycode(service: Copy) -> Iterator[None]:
    """Have 16 clients send bodies whose decoding would take a minute each."""
    body, stop, answers = b"a" * 250_000, threading.Event(), Counter[int]()

    def send(number: int) -> None:
        address = ("/api/v1/auth/token/login/", "/admin/login/", "/upload/")[number % 3]
        kind = f"{KINDS[number % len(KINDS)]}; charset=punycode"
        while not stop.is_set():
            try:
                answer = requests.post(
                    f"http://127.0.0.1:{service.port}{address}",
                    data=body, headers={"Content-Type": kind}, timeout=30,
                )  # fmt: skip
                answers[answer.status_code] += 1
            except requests.ConnectionError:  # it is answered before all is sent
                answers[0] += 1
            stop.wait(0.05)

    clients = [threading.Thread(target=send, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(answers) <= {0, 415}
    assert answers[415]


def test_bodies_that_are_expensive_to_decode_are_not(service: Copy, withstand: Withstand) -> None:
    withstand(punycode(service))


@pytest.mark.parametrize("name", ["Accept", "Cookie", "Content-Type", "X-Anything"])
def test_a_header_that_is_too_long_is_told(service: Copy, name: str) -> None:
    address = f"http://127.0.0.1:{service.port}/api/v1/books/"
    answer = requests.get(address, headers={name: "a;" * 5000}, timeout=10)
    assert answer.status_code == 431
    assert answer.json() == {"detail": "A header is longer than 8192 bytes."}
    assert answer.headers["X-Request-ID"]

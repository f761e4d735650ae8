"""The walk of the README: from an account to a shelf of films, on the running service."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import requests

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from standalone.configuration import ROOT
from tests.live.people import People
from tests.live.readme import run, steps

HEADING = "## A walk"
Ask = Callable[..., requests.Response]


@pytest.fixture
def people(service: Copy) -> People:
    return People(service)


@pytest.fixture
def ask(people: People) -> Ask:
    def ask(method: str, path: str, token: str = "", **body: Any) -> requests.Response:
        headers = {"Authorization": f"Token {token}"} if token else {}
        address = path if path.startswith("http") else f"{people.api}{path}"
        return requests.request(method, address, json=body or None, headers=headers, timeout=10)

    return ask


def test_walk_from_registration_to_five_hundred_films(people: People, ask: Ask) -> None:
    ann, bob, staff = people.register(), people.register(), people.staff

    # A book: found by either ISBN, and nobody writes over what they have not seen.
    book = {"title": "Emma", "author": "Jane Austen", "year": 1815, "isbn": "0-306-40615-2"}
    assert ask("POST", "/books/", **book).status_code == 401
    made = ask("POST", "/books/", ann, **book)
    assert (made.status_code, made.json()["isbn"]) == (201, "9780306406157")
    path = f"/books/{made.json()['id']}/"
    assert ask("POST", "/books/", bob, **book).status_code == 400
    changed = requests.patch(
        f"{people.api}{path}",
        json={"year": 1816},
        headers={"Authorization": f"Token {bob}", "If-Match": '"something else"'},
        timeout=10,
    )
    assert changed.status_code == 412
    assert ask("PATCH", path, bob, year=1816).json()["year"] == 1816

    # A film in a category, and what somebody else says about it.
    category = ask("POST", "/categories/", ann, title="Silent films").json()
    film = ask(
        "POST",
        "/films/",
        ann,
        title="The General",
        category=category["id"],
        time_filmed="1926-07-23T10:00:00Z",
    ).json()
    me = ask("GET", "/auth/users/me/", ann).json()
    assert film["owner"] == category["owner"] == me["id"]
    comments = f"/films/{film['id']}/comments/"
    comment = ask("POST", comments, bob, text="What a chase!").json()
    assert ask("GET", comments).json()["results"] == [comment]

    # What is not theirs, people do not change; and only staff delete.
    assert ask("PATCH", f"/comments/{comment['id']}/", ann, text="Dull.").status_code == 403
    assert ask("PATCH", f"/films/{film['id']}/", bob, title="Mine").status_code == 403
    assert ask("DELETE", f"/films/{film['id']}/", ann).status_code == 403
    assert ask("POST", "/films/generate/", ann, count=500).status_code == 403
    assert ask("DELETE", f"/categories/{category['id']}/", staff).status_code == 409

    # Staff have a worker make five hundred.
    before = ask("GET", "/films/").json()["count"]
    started = ask("POST", "/films/generate/", staff, count=500)
    assert started.status_code == 202
    task = f"/tasks/{started.json()['task']}/"
    wait_until(lambda: ask("GET", task, staff).json()["state"] == "done", 30)
    assert ask("GET", task, ann).status_code == 404
    progress = ask("GET", task, staff).json()
    assert (progress["done"], progress["total"]) == (500, 500)
    assert ask("GET", "/films/").json()["count"] == before + 500

    # What was read was counted.
    for _ in range(3):
        ask("GET", f"/films/{film['id']}/")
    of_ann = f"/films/?category={category['id']}&search=general"
    wait_until(lambda: ask("GET", of_ann).json()["results"][0]["counter"] == 3)

    assert ask("POST", "/auth/token/logout/", ann).status_code == 204
    assert ask("POST", "/categories/", ann, title="Too late").status_code == 401


@pytest.mark.skipif(not shutil.which("curl"), reason="There is no curl.")
def test_readme_shows_what_is_answered(service: Copy, people: People) -> None:
    """Whatever ids, names and times are: the same fields with the same status."""
    walk = steps((ROOT / "README.md").read_text(), HEADING)
    if not walk:
        pytest.skip("The README has no walk.")
    here = [step.command.replace("localhost:8000", f"127.0.0.1:{service.port}") for step in walk]

    answers = run(here, PASSWORD=people.password)

    for step, answer in zip(walk, answers, strict=True):
        assert list(map(outline, answer)) == list(map(outline, step.answer)), step.command


def outline(line: str) -> tuple[list[str], str]:
    body, _, status = line.rpartition(" ")
    return list(json.loads(body)), status

"""The README and the quickstart, from an account to a shelf of films, on the running service."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from standalone.configuration import ROOT
from tests.live.people import People
from tests.support.shell_sessions import run, steps

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
@pytest.mark.parametrize(
    "page", ["README.md", pytest.param("docs/quickstart.md", marks=pytest.mark.long)]
)
def test_a_page_shows_what_is_answered(service: Copy, people: People, page: str) -> None:
    """Whatever ids, names and times are: the same fields with the same status, the same lines."""
    here, there = f"127.0.0.1:{service.port}", "localhost:8000"
    walk = steps((ROOT / page).read_text())
    commands = [step.command.replace(there, here) for step in walk]

    answers = run(commands, PASSWORD=people.password, DATA_DIR=str(service.data_dir))

    assert len(walk) > 2
    for step, answer in zip(walk, answers, strict=True):
        said = [line.replace(here, there) for line in answer]
        assert len(said) == len(step.answer), (step.command, said)
        for shown, answered in zip(step.answer, said, strict=True):
            assert agree(shown, answered), (step.command, answered)


def agree(shown: str, answered: str) -> bool:
    """Compare the fields of a JSON object and what follows it; else the text, but for numbers.

    `...` in what is shown stands for anything.
    """
    if fields := fields_of(shown):
        return fields == fields_of(answered)
    pattern = re.escape(re.sub(r"\d+", "0", shown)).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, re.sub(r"\d+", "0", answered)) is not None


def fields_of(line: str) -> tuple[list[str], str] | None:
    body, _, status = line.rpartition(" ")
    for text, rest in ((line, ""), (body, status)):
        with suppress(ValueError):
            if isinstance(found := json.loads(text), dict):
                return list(found), rest
    return None

"""ETag and If-Match: no client overwrites a change that it has not seen."""

from threading import BoundedSemaphore

import pytest
from rest_framework.test import APIClient

from catalog.books.models import Book
from footfall.flush import flush_all
from tests.support.books import fields, make_book
from tests.support.concurrency import run_at_once
from tests.support.people import client_of, make_user
from uploads.web import body_slots

pytestmark = pytest.mark.django_db

BOOKS = "/api/v1/books/"


@pytest.fixture
def writer() -> APIClient:
    return client_of(make_user())


@pytest.fixture
def address() -> str:
    return f"{BOOKS}{make_book().pk}/"


def test_every_answer_with_a_book_has_its_tag(writer: APIClient) -> None:
    made = writer.post(BOOKS, fields())
    address = f"{BOOKS}{made.json()['id']}/"
    assert made["ETag"] == writer.get(address)["ETag"]
    patched = writer.patch(address, {"year": 1816})
    assert patched["ETag"] == writer.get(address)["ETag"] != made["ETag"]
    put = writer.put(address, fields(title="Persuasion"))
    assert put["ETag"] == writer.head(address)["ETag"] != patched["ETag"]


def test_change_of_what_was_read_is_made(writer: APIClient, address: str) -> None:
    for method, body in ((writer.patch, {"year": 1816}), (writer.put, fields())):
        tag = writer.get(address)["ETag"]
        assert method(address, body, headers={"if-match": tag}).status_code == 200
    tag = writer.get(address)["ETag"]
    assert writer.delete(address, headers={"if-match": tag}).status_code == 204


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_change_of_an_older_book_is_refused(writer: APIClient, address: str, method: str) -> None:
    tag = writer.get(address)["ETag"]
    assert writer.patch(address, {"title": "Changed meanwhile"}).status_code == 200
    answer = getattr(writer, method)(address, fields(), headers={"if-match": tag})
    assert answer.status_code == 412
    assert answer.json() == {"detail": "The book was changed meanwhile: read it again."}
    assert Book.objects.get().title == "Changed meanwhile"


def test_view_does_not_change_the_tag(writer: APIClient, address: str) -> None:
    tag = writer.get(address)["ETag"]
    flush_all()
    read = writer.get(address)
    assert (read.json()["counter"], read["ETag"]) == (1, tag)


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        ("{tag}", 200),
        ('"other", {tag}', 200),
        ("*", 200),
        (" * ", 200),
        ("W/{tag}", 412),
        ('"other"', 412),
        ("nonsense", 412),
        ('"', 412),
        ("", 412),
        ('"*"', 412),
    ],
)
def test_tags_are_compared_strongly(
    writer: APIClient, address: str, expected: str, status: int
) -> None:
    tag = writer.get(address)["ETag"]
    headers = {"if-match": expected.format(tag=tag)}
    assert writer.patch(address, {"year": 1816}, headers=headers).status_code == status


def test_strangers_and_missing_books_come_first(writer: APIClient, address: str) -> None:
    headers = {"if-match": '"old"'}
    assert client_of(None).patch(address, {}, headers=headers).status_code == 401
    assert writer.patch(f"{BOOKS}0/", {}, headers=headers).status_code == 404
    assert writer.patch(address, {"year": 0}, headers=headers).status_code == 412


@pytest.mark.django_db(transaction=True)
def test_of_many_changes_at_once_one_is_made(
    writer: APIClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_slots, "slots", BoundedSemaphore(8))  # a process takes fewer at a time
    tag = writer.get(address)["ETag"]
    years = iter(range(1801, 1809))
    answers = run_at_once(
        [lambda: writer.patch(address, {"year": next(years)}, headers={"if-match": tag})] * 8
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    (made,) = (answer for answer in answers if answer.status_code == 200)
    assert writer.get(address).json()["year"] == made.json()["year"]


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.django_db(transaction=True)
def test_change_beside_a_deletion_brings_nothing_back(
    writer: APIClient, address: str, turn: int
) -> None:
    asked = iter(["delete", *["patch"] * 3])
    answers = run_at_once([lambda: getattr(writer, next(asked))(address, {"year": 1816})] * 4)
    assert {answer.status_code for answer in answers} <= {200, 204, 404}
    assert writer.get(address).status_code == 404

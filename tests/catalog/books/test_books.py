"""/api/v1/books/: what a book is, and how it is found."""

from threading import Barrier
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.books.models import Book
from catalog.books.serializers import BookSerializer
from footfall.flush import flush_all
from tests.support.books import fields, make_book
from tests.support.concurrency import run_at_once
from tests.support.people import client_of, make_user, post_raw

pytestmark = pytest.mark.django_db

BOOKS = "/api/v1/books/"


@pytest.fixture
def writer() -> APIClient:
    return client_of(make_user())


@pytest.fixture
def reader() -> APIClient:
    return client_of(None)


def test_book_is_added_read_changed_and_deleted(writer: APIClient, reader: APIClient) -> None:
    made = writer.post(BOOKS, fields(isbn="0-306-40615-2"))
    assert made.status_code == 201
    book = made.json()
    assert book == {
        "id": book["id"],
        "title": "Emma",
        "author": "Jane Austen",
        "year": 1815,
        "isbn": "9780306406157",
        "counter": 0,
    }
    address = f"{BOOKS}{book['id']}/"

    read = reader.get(address)
    assert (read.status_code, read.json()) == (200, book)
    assert read["Cache-Control"] == "no-store"
    assert writer.patch(address, {"year": 1816}).json() == book | {"year": 1816}
    whole = fields(title="Persuasion", year=1817, isbn="978-0-306-40615-7")
    assert writer.put(address, whole).json()["title"] == "Persuasion"
    assert writer.delete(address).status_code == 204
    assert reader.get(address).status_code == 404


@pytest.mark.parametrize(
    ("isbn", "kept"),
    [
        ("080442957X", "9780804429573"),
        ("978-0-306-40615-7", "9780306406157"),
        ("978 0 306 40615 7", "9780306406157"),
        ("9780306406158", None),
        ("0306406153", None),
        ("979-0-2600-0043-8", None),  # printed music
        ("978030640615", None),
        ("not a number", None),
        ("", None),
        (None, None),
        ("\0", None),
        (9780306406157, "9780306406157"),
        (["9780306406157"], None),
    ],
)
def test_isbn_of_10_or_13_digits_is_kept_as_13(
    writer: APIClient, isbn: object, kept: str | None
) -> None:
    answer = writer.post(BOOKS, fields(isbn=isbn))
    if kept:
        assert (answer.status_code, answer.json()["isbn"]) == (201, kept)
    else:
        assert (answer.status_code, list(answer.json())) == (400, ["isbn"])


def test_isbn_is_taken_in_whatever_form(writer: APIClient) -> None:
    book = make_book(isbn="9780306406157")
    answer = writer.post(BOOKS, fields(isbn="0306406152"))
    assert answer.status_code == 400
    assert answer.json() == {"isbn": ["A book with this ISBN already exists."]}
    assert writer.patch(f"{BOOKS}{book.pk}/", {"isbn": "0306406152"}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_isbn_is_taken_at_the_same_moment(
    writer: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier, checked = Barrier(4), BookSerializer.save

    def save(serializer: BookSerializer, **given: Any) -> Book:
        barrier.wait(10)  # all have found the number free
        return checked(serializer, **given)

    monkeypatch.setattr(BookSerializer, "save", save)
    body = fields()
    answers = run_at_once([lambda: writer.post(BOOKS, body)] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert refused.json() == {"isbn": ["A book with this ISBN already exists."]}


@pytest.mark.parametrize("year", [0, -1, 10**30, "next", None, 1.5, True])
def test_year_that_is_none_is_refused(writer: APIClient, year: object) -> None:
    answer = writer.post(BOOKS, fields(year=year))
    assert (answer.status_code, list(answer.json())) == (400, ["year"])


def test_year_is_up_to_the_present_one(writer: APIClient) -> None:
    year = timezone.localdate().year
    assert writer.post(BOOKS, fields(year=1)).status_code == 201
    assert writer.post(BOOKS, fields(year=year)).status_code == 201
    answer = writer.post(BOOKS, fields(year=year + 1))
    assert answer.status_code == 400
    assert answer.json() == {"year": [f"The year must be from 1 to {year}."]}


@pytest.mark.parametrize("title", ["", "a\0b", "x" * 201, None, {}])
def test_title_that_cannot_be_stored_is_refused(writer: APIClient, title: object) -> None:
    answer = writer.post(BOOKS, fields(title=title))
    assert (answer.status_code, list(answer.json())) == (400, ["title"])


@pytest.fixture
def shelf() -> None:
    make_book(title="Emma", author="Jane Austen", year=1815)
    make_book(title="Dracula", author="Bram Stoker", year=1897)
    make_book(title="Emmeline", author="Charlotte Smith", year=1788)
    make_book(title="The Annotated Emma", author="David Shapard", year=2012)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1815, 1897, 1788, 2012]),
        ("search=emm", [1815, 1788, 2012]),
        ("search=STOKER", [1897]),
        ("search=100%25", []),
        ("year_min=1815&year_max=1897", [1815, 1897]),
        ("year_min=99999999999999999999", []),
        ("ordering=year", [1788, 1815, 1897, 2012]),
        ("ordering=-year", [2012, 1897, 1815, 1788]),
        ("ordering=,-year,,", [2012, 1897, 1815, 1788]),
        ("ordering=,,", [1815, 1897, 1788, 2012]),
        ("ordering=author", [1897, 1788, 2012, 1815]),
        ("ordering=title&search=em", [1815, 1788, 2012]),
        ("search=emma&year_max=1900", [1815]),
    ],
)
def test_books_are_found(reader: APIClient, shelf: None, query: str, found: list[int]) -> None:
    answer = reader.get(f"{BOOKS}?{query}").json()
    assert [book["year"] for book in answer["results"]] == found
    assert answer["count"] == len(found)


@pytest.mark.parametrize(
    "query",
    ["year_min=x", "year_max=1.5", "ordering=isbn", "ordering=pages", "search=%00"],
)
def test_nonsense_in_the_query_is_refused(reader: APIClient, query: str) -> None:
    answer = reader.get(f"{BOOKS}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [query.partition("=")[0]])


def test_list_takes_two_queries(
    reader: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in (1, 10):
        for _ in range(number):
            make_book()
        with django_assert_num_queries(2):
            reader.get(f"{BOOKS}?search=e&ordering=-title")


@pytest.mark.parametrize("pk", ["0", "9" * 18, "9" * 30, "9" * 5000, "x", "-1"])
def test_book_that_does_not_exist_is_404(writer: APIClient, pk: str) -> None:
    for method in (writer.get, writer.delete, writer.put):
        answer = method(f"{BOOKS}{pk}/", fields())
        assert answer.status_code == 404
        assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ('{"year": NaN}', "application/json", 400),
        (r'{"title": "\ud800", "isbn": "\ud800"}', "application/json", 400),
        ("\xff", "application/json", 400),
        ("<book/>", "application/xml", 415),
    ],
)
def test_body_that_is_no_book_is_refused(
    writer: APIClient, body: str, kind: str, status: int
) -> None:
    answer = post_raw(writer, BOOKS, body.encode("latin-1"), kind)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)


def test_read_is_one_view_and_nothing_else_is(writer: APIClient) -> None:
    book = make_book()
    address = f"{BOOKS}{book.pk}/"
    for _ in range(3):
        writer.get(address)
    assert writer.head(address).status_code == 200
    writer.options(address)
    writer.get(BOOKS)
    writer.patch(address, {"year": 1816})
    assert flush_all() == 3
    assert writer.get(address).json()["counter"] == 3


@pytest.mark.django_db(transaction=True)
def test_options_describe_the_book(writer: APIClient) -> None:
    answer = writer.options(f"{BOOKS}{make_book().pk}/")
    assert answer.status_code == 200
    assert set(answer.json()["actions"]["PUT"]) >= {"title", "author", "year", "isbn"}

"""The admin of books."""

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.books.models import Book
from tests.support.books import fields, make_book

pytestmark = pytest.mark.django_db

ADMIN = "/admin/books/book/"


def test_isbn_is_taken_with_hyphens(admin_client: Client) -> None:
    answer = admin_client.post(f"{ADMIN}add/", fields(isbn="0-306-40615-2"))
    assert answer.status_code == 302
    assert Book.objects.get().isbn == "9780306406157"
    refused = admin_client.post(f"{ADMIN}add/", fields(isbn="9780306406157"))
    assert "Book with this ISBN already exists." in refused.content.decode()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"isbn": "9780306406158"}, "This is not a valid ISBN."),
        ({"year": 9999}, "The year must be from 1 to 2"),
        ({"year": 0}, "The year must be from 1 to 2"),
    ],
)
def test_book_that_cannot_be_is_refused(
    admin_client: Client, given: dict[str, object], message: str
) -> None:
    answer = admin_client.post(f"{ADMIN}add/", fields(**given))
    assert message in str(answer.context["errors"])


def test_book_is_found_by_title_author_or_isbn(admin_client: Client) -> None:
    book = make_book(isbn="9780306406157")
    make_book(title="Dracula", author="Bram Stoker")
    for text in ("mm", "austen", "978-0-306-40615-7"):
        html = admin_client.get(ADMIN, {"q": text}).content.decode()
        assert re.findall(r"/admin/books/book/(\d+)/change/", html) == [str(book.pk)]


def test_rows_take_no_query_each(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_book()
    for _ in range(2):
        with django_assert_num_queries(4):
            admin_client.get(ADMIN)
        for _ in range(8):
            make_book()


def test_views_are_shown_and_not_asked_for(admin_client: Client) -> None:
    book = make_book()
    Book.objects.update(counter=4321)
    html = admin_client.get(f"{ADMIN}{book.pk}/change/").content.decode()
    assert "4,321" in html
    assert not re.search(r'name="counter"', html)

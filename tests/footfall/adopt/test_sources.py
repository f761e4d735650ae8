"""What a column or a hash of Redis has counted is taken over, once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError
from redis import Redis

from catalog.books.models import Book
from catalog.pages.models import Content
from tests.support.pages import make_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_models")]

LABEL = "pages.content"
Run = Callable[..., str]


@pytest.fixture
def hash_key(server: Redis, prefix: str) -> str:
    return f"{prefix}:views"


def test_a_column_beside_the_counter(run: Run) -> None:
    book = Book.objects.create(title="Emma", author="Jane Austen", year=1815, isbn="9780141439587")

    said = run("adopt", "books.book", "--column", "year")

    assert said == "books.book: 1815 views of 1 targets from books_book.year are in the base\n"
    book.year = 1816
    book.save()
    assert "1 views of 1 targets" in run("adopt", "Books.Book", "--column", "year")
    book.refresh_from_db()
    assert book.counter == 1816
    assert "clean" in run("audit")


@pytest.mark.parametrize(
    ("column", "said"),
    [("counter", "leave out --column"), ("title", "no integer column"), ("x", "no integer column")],
)
def test_what_is_no_such_column_is_said(run: Run, column: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("adopt", "books.book", "--column", column)


def test_a_hash(run: Run, server: Redis, hash_key: str) -> None:
    one, two = make_text().pk, make_text().pk
    server.hset(hash_key, mapping={f"article:{one}": 5, f"article:{two}": 0})
    options = ("adopt", LABEL, "--redis-hash", hash_key, "--prefix", "article:")

    assert f"5 views of 1 targets from redis {hash_key} article:* would be" in run(
        *options, "--dry-run"
    )
    assert "5 views of 1 targets" in run(*options)
    assert "0 views of 0 targets" in run(*options)

    assert Content.objects.get(pk=one).counter == 5
    assert "clean" in run("audit")


def test_every_field_of_a_key_is_taken(run: Run, server: Redis, hash_key: str) -> None:
    one = make_text().pk
    server.hset(hash_key, mapping={f"web:{one}": 5, f"web:0{one}": 2, f"app:{one}": 4})
    for prefix in ("web:", "app:", "web:"):
        with pytest.raises(CommandError, match="fields are no key"):  # those of the other prefix
            run("adopt", LABEL, "--redis-hash", hash_key, "--prefix", prefix)

    assert Content.objects.get(pk=one).counter == 11
    assert "clean" in run("audit")


def test_what_is_no_count_is_named_and_the_rest_is_taken(
    run: Run, server: Redis, hash_key: str
) -> None:
    pk = make_text().pk
    fields: dict[Any, Any] = {
        str(pk): "7",
        "x": "1",
        "1": "-2",
        "2": "1.5",
        "3": "²",
        "": "4",
        "9" * 30: "1",
        "4": "9" * 30,
    }
    server.hset(hash_key, mapping=fields)

    with pytest.raises(CommandError, match=r"^7 fields are no key and count: .*1: -2"):
        run("adopt", LABEL, "--redis-hash", hash_key)

    assert Content.objects.get(pk=pk).counter == 7


def test_what_is_no_hash_is_said(run: Run, server: Redis, hash_key: str) -> None:
    with pytest.raises(CommandError, match="there is no hash"):
        run("adopt", LABEL, "--redis-hash", hash_key)
    server.set(hash_key, 1)
    with pytest.raises(CommandError, match=r"cannot be read: .*WRONGTYPE"):
        run("adopt", LABEL, "--redis-hash", hash_key)
    for url, said in (("redis://127.0.0.1:1", "cannot be read"), ("memory://", "name the server")):
        with pytest.raises(CommandError, match=said):
            run("adopt", LABEL, "--redis-hash", "views", "--redis-url", url)


def test_a_counter_that_had_views_before_anything_was_recorded(run: Run) -> None:
    Content.objects.filter(pk=make_text().pk).update(counter=9)

    assert run("adopt", LABEL, "--dry-run") == (
        f"{LABEL}: 9 views of 1 targets would be in the base\n"
    )
    assert "9 views of 1 targets are in the base" in run("adopt", LABEL)
    assert "0 views of 0 targets" in run("adopt", LABEL)
    assert "clean" in run("audit")

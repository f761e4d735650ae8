"""Books for the tests, each in one line."""

from itertools import count
from typing import Any

from stdnum import ean

from catalog.books.models import Book

numbers = count(1)


def make_isbn() -> str:
    """Return a valid ISBN-13 that no other book has."""
    digits = f"978{next(numbers):09d}"
    return digits + ean.calc_check_digit(digits)


def fields(**given: Any) -> dict[str, Any]:
    """Return what a new book is made of."""
    return {"title": "Emma", "author": "Jane Austen", "year": 1815, "isbn": make_isbn(), **given}


def make_book(**given: Any) -> Book:
    return Book.objects.create(**fields(**given))

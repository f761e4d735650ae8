"""What the users of a load run send: people, books, files."""

import uuid
from random import Random

random = Random()


def isbn() -> str:
    """Return a valid random ISBN-13."""
    digits = f"978{random.randrange(10**9):09d}"
    return digits + str(check_digit(digits))


def check_digit(digits: str) -> int:
    """Return the last digit of the ISBN-13 that begins with these twelve."""
    total = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(digits))
    return -total % 10


def person() -> dict[str, str]:
    name = f"reader-{uuid.uuid4().hex[:16]}"
    return {"username": name, "email": f"{name}@example.com", "password": uuid.uuid4().hex}


def book() -> dict[str, object]:
    return {"title": "Notes on tides", "author": "A. Reader", "year": 1999, "isbn": isbn()}


def text_file() -> tuple[str, bytes, str]:
    """Return name, bytes and type of a small file, different each time."""
    lines = [f"{uuid.uuid4()} saw the tide turn at {random.random()}" for _ in range(20)]
    return "tides.txt", "\n".join(lines).encode(), "text/plain"

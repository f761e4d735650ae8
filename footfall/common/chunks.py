"""Parts of what is too much for one statement."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django.db.models import QuerySet

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in parts of `size`; the last may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))


def pages(rows: QuerySet[Any], size: int, *columns: str) -> Iterator[list[tuple[Any, ...]]]:
    """Yield `columns` of the rows, `size` rows at a time, each part by a statement of its own.

    The first column is unique and orders them. What is written meanwhile is read if it comes later.
    """
    by = columns[0]
    rows = rows.order_by(by).values_list(*columns)
    page = list(rows[:size])
    while page:
        yield page
        page = list(rows.filter(**{f"{by}__gt": page[-1][0]})[:size])

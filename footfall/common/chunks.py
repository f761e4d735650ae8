"""Parts of what is too much for one statement."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in parts of `size`; the last may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))

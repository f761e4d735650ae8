"""An event that makes an ingest fail is found, and becomes a dead letter; the others are stored.

A batch that fails is taken in parts: by partition, log and spill apart, then half of it, half of
that, until one event is left.
"""

import logging
import struct
from collections.abc import Callable, Iterable
from enum import Enum, auto
from itertools import product
from typing import NamedTuple, TypeVar

from django.db import DataError

logger = logging.getLogger(__name__)

T = TypeVar("T")

POISON = (
    DataError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError, struct.error,
)  # fmt: skip
"""What an event may cause: never an absent store, nor another process."""


class Source(Enum):
    """From where an ingest takes events."""

    BOTH = auto()
    LOG = auto()
    SPILL = auto()


class Take(NamedTuple):
    """What one ingest takes."""

    limit: int = 0
    """Most events of the log, and of the spill."""
    partition: int | None = None
    """None: all."""
    source: Source = Source.BOTH
    condemned: str = ""
    """Why every event that is taken becomes a dead letter; "": it does not."""


EVERYTHING = Take()


def in_parts(
    ingest: Callable[[Take], T], limit: int, partitions: Iterable[int], error: Exception
) -> list[T]:
    """Ingest a batch that has failed with `error`, or some of it; return what each part did.

    After all parts it raises what one has raised although it only had to store a dead letter: that
    is no fault of an event.
    """
    logger.error("a batch cannot be stored; it is taken in parts", exc_info=error)
    done: list[T] = []
    failed: Exception | None = None
    for number, source in product(partitions, (Source.LOG, Source.SPILL)):
        try:
            done.append(_narrow(ingest, Take(limit, number, source)))
        except POISON as reason:
            failed = reason
    if failed:
        raise failed
    return done


def _narrow(ingest: Callable[[Take], T], take: Take) -> T:
    """Ingest as much as does not fail, or else one event as a dead letter."""
    while True:
        try:
            return ingest(take)
        except POISON as error:
            if take.limit > 1:
                take = take._replace(limit=take.limit // 2)
                continue
            logger.error("an event of %s cannot be stored", take, exc_info=error)
            return ingest(take._replace(condemned=f"{type(error).__name__}: {error}"))

"""The write side: one view becomes one event."""

import time
from collections.abc import Iterable

from django.conf import settings
from django.db import DatabaseError, models

from counters import events
from counters.log import get_log
from counters.registry import counted_as
from counters.spill import spill
from eventlog import Ambiguous, Refused, partition_of


class Unacknowledged(Exception):
    """Neither the log nor the database took the view: do not answer as if it were counted."""


def record(viewed: models.Model, contents: Iterable[models.Model] = ()) -> None:
    """Record one view of `viewed` and of everything in `contents`, as one event.

    A content that stands there twice is viewed once. Returning means: the view will be counted,
    exactly once. Raises Unacknowledged, or TypeError if something is not countable.
    """
    ids: dict[str, set[int]] = {}
    for target in (viewed, *contents):
        ids.setdefault(counted_as(type(target)), set()).add(target.pk)
    key = f"{counted_as(type(viewed))}:{viewed.pk}"
    partition = partition_of(key, settings.EVENTLOG_PARTITIONS)
    at = time.time_ns() // 1_000_000
    append(partition, events.encode(ids), at)


def append(partition: int, body: bytes, at: int) -> None:
    """Append to the log; to the spill if the log refuses, or does not say what became of it."""
    try:
        get_log().append(partition, body, at)
        return
    except Refused:
        number = None
    except Ambiguous as error:
        number = error.number
    try:
        spill(partition, body, at, number)
    except DatabaseError as error:
        raise Unacknowledged("neither Redis nor the database took the view") from error

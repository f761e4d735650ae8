"""Events for the tests of the event store, and how they get into it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from footfall import events as viewed
from footfall.models import Segment
from footfall.store.append import append
from footfall.store.builder import EventsBuilder
from footfall.store.read import scan
from footfall.store.segment import Events
from tests.support.views import AT


class Stored(NamedTuple):
    """One event as the store has it."""

    partition: int = 0
    producer_id: int = 7
    sequence: int = 0
    at: int = AT
    body: bytes = viewed.encode({"pages.content": [1]})
    meta: bytes = b""


def built(*runs: Sequence[Stored]) -> Events:
    """Return events; each run is of the partition of its first event."""
    builder = EventsBuilder()
    for run in runs:
        if run:
            columns: list[list[Any]] = list(map(list, zip(*run, strict=True)))
            builder.add(run[0].partition, *columns[1:])
    return builder.events()


def rows_of(events: Events) -> Iterator[Stored]:
    """Yield each event."""
    columns = (events.producer, events.sequence, events.at, events.body, events.meta)
    rows = zip(*columns, strict=True)
    for run in events.runs:
        for producer, sequence, at, body, meta in islice(rows, run.events):
            yield Stored(
                run.partition,
                events.producer_ids[producer],
                sequence,
                at,
                events.bodies[body],
                events.metas[meta],
            )
    assert not list(rows)


def numbered(count: int, start: int = 0, **others: Any) -> list[Stored]:
    """Return so many events of one producer, a second apart."""
    return [Stored(sequence=n, at=AT + n * 1_000, **others) for n in range(start, start + count)]


def store(*runs: Sequence[Stored], age: timedelta = timedelta(hours=1)) -> Segment:
    """Append one segment, that old."""
    return store_at(timezone.now() - age, *runs)


def store_at(now: datetime, *runs: Sequence[Stored]) -> Segment:
    with transaction.atomic():
        _before, (segment,) = append(built(*runs), now)
    return segment


def all_stored() -> list[Stored]:
    """Return every event, read from the rows."""
    return [row for _segment, events in scan() for row in rows_of(events)]

"""Puts events together and takes them apart; bodies, producer ids and metas stay distinct."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TypeVar

from footfall.store.segment import Events, Run

T = TypeVar("T")
MAX_BYTES = 4 * 1024**2
"""Longest data of a segment: MySQL and MariaDB take no much longer statement."""
BYTES_PER_EVENT, BYTES_PER_RUN, BYTES_PER_VALUE, MARGIN = 28, 24, 16, 16 * 1024
"""What the data has at most: per run, event and distinct value, and once."""


class EventsBuilder:
    """Collects events in columns.

    >>> builder = EventsBuilder()
    >>> builder.add(3, [7, 7], [0, 1], [1_763_683_200_000] * 2, [b"...", b"..."], [b"", b""])
    >>> builder.events().body
    [0, 0]
    """

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._body: list[int] = []
        self._at: list[int] = []
        self._producer: list[int] = []
        self._sequence: list[int] = []
        self._meta: list[int] = []
        # Where each value is in `Events.bodies` and so on.
        self._bodies: defaultdict[bytes, int] = _index()
        self._producer_ids: defaultdict[int, int] = _index()
        self._metas: defaultdict[bytes, int] = _index(b"")

    def add(
        self,
        partition: int,
        producer_ids: Sequence[int],
        sequences: Sequence[int],
        ats: Sequence[int],
        bodies: Sequence[bytes],
        metas: Sequence[bytes],
    ) -> None:
        """Add events of one partition. One without an id has producer id 0 and NO_SEQUENCE."""
        if not ats:
            return
        self._runs.append(Run(0, partition, len(ats)))
        # Loops in C, here and below: this decides how many events a second a worker stores.
        self._body += map(self._bodies.__getitem__, bodies)
        self._at += ats
        self._producer += map(self._producer_ids.__getitem__, producer_ids)
        self._sequence += sequences
        self._meta += map(self._metas.__getitem__, metas) if any(metas) else bytes(len(ats))

    def extend(self, events: Events, start: int = 0, stop: int | None = None) -> None:
        """Add events of a segment, from index `start` to `stop`."""
        stop = len(events) if stop is None else stop
        self._runs += _cut_runs(events.runs, start, stop)
        self._body += _moved(events.body[start:stop], events.bodies, self._bodies)
        self._at += events.at[start:stop]
        self._producer += _moved(
            events.producer[start:stop], events.producer_ids, self._producer_ids
        )
        self._sequence += events.sequence[start:stop]
        self._meta += _moved(events.meta[start:stop], events.metas, self._metas)

    def events(self) -> Events:
        """Return what was collected."""
        return Events(
            runs=self._runs,
            bodies=list(self._bodies),
            body=self._body,
            at=self._at,
            producer_ids=list(self._producer_ids),
            producer=self._producer,
            sequence=self._sequence,
            metas=list(self._metas),
            meta=self._meta,
        )


def size_of(events: Events) -> int:
    """Return how many bytes the data of these events has at most, if nothing can be compressed."""
    values = sum(map(len, events.bodies)) + sum(map(len, events.metas))
    distinct = len(events.bodies) + len(events.producer_ids) + len(events.metas)
    return (
        values
        + BYTES_PER_VALUE * distinct
        + BYTES_PER_EVENT * len(events)
        + BYTES_PER_RUN * len(events.runs)
    )


def split(events: Events) -> Iterator[Events]:
    """Yield all events in order, in parts whose data is shorter than MAX_BYTES.

    A single event with a body that is longer is a part of its own.
    """
    if not len(events):
        return
    if size_of(events) < MAX_BYTES - MARGIN or len(events) == 1:
        yield events
    else:
        middle = len(events) // 2
        yield from split(cut(events, 0, middle))
        yield from split(cut(events, middle, len(events)))


def cut(events: Events, start: int, stop: int) -> Events:
    """Return the events from index `start` to `stop`."""
    builder = EventsBuilder()
    builder.extend(events, start, stop)
    return builder.events()


def cut_segments(events: Events, after: int, last: int) -> Events:
    """Return the events that were stored first in segments `after` + 1 to `last`."""
    before = sum(run.events for run in events.runs if run.number <= after)
    until = sum(run.events for run in events.runs if run.number <= last)
    if until - before == len(events):
        return events
    return cut(events, before, until)


def _index(*values: T) -> defaultdict[T, int]:
    """Return a table that gives each new value the next number, from 0."""
    table: defaultdict[T, int] = defaultdict(count().__next__)
    for value in values:
        table[value]
    return table


def _moved(indexes: Sequence[int], values: Sequence[T], to: Mapping[T, int]) -> Iterator[int]:
    """Return where the values with these indexes are in another table."""
    moves = {index: to[values[index]] for index in dict.fromkeys(indexes)}
    return map(moves.__getitem__, indexes)


def _cut_runs(runs: Sequence[Run], start: int, stop: int) -> Iterator[Run]:
    """Yield the runs, or parts of them, of the events from `start` to `stop`."""
    first = 0
    for run in runs:
        events = min(stop, first + run.events) - max(start, first)
        if events > 0:
            yield run._replace(events=events)
        first += run.events

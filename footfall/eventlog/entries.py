"""The values that the log takes and returns."""

from collections.abc import Sequence
from typing import NamedTuple


class EventId(NamedTuple):
    """Identifies one event for ever."""

    producer_id: int
    """Random, 63 bits: a new one equals one of 100,000 known ones once in 10^14 times."""
    sequence: int
    """Starts at 0 and grows with every append of the producer."""


class Entry(NamedTuple):
    """One event in the log."""

    id: bytes
    """Redis' id of the entry, `b"1763683200123-0"`."""
    event_id: EventId | None
    """None for an entry that was not made by a producer of this log."""
    at: int
    """When the event happened, by the producer's clock: milliseconds since 1970."""
    offset: int
    """Place in the partition, counted from 1; 0 if unknown."""
    body: bytes

    @property
    def appended_at(self) -> int:
        """When it was appended, by Redis' clock: milliseconds since 1970."""
        return int(self.id.partition(b"-")[0])


class Position(NamedTuple):
    """The last entry that a reader has applied. It saves reading, and proves nothing."""

    id: bytes
    event_id: EventId | None
    offset: int

    @classmethod
    def of(cls, entry: Entry) -> "Position":
        return cls(entry.id, entry.event_id, entry.offset)


class Appended(NamedTuple):
    """The answer to an append."""

    id: bytes
    event_id: EventId
    values: Sequence[bytes] = ()
    """Of a cached page: the page, then its counters."""


class Slice(NamedTuple):
    """The answer to a read."""

    entries: list[Entry]
    reaches_end: bool
    """Whether there was nothing after the last entry when it was read."""


def missing(before: int, entries: Sequence[Entry]) -> int:
    """Return how many events are missing between the last one applied and the last one read.

    before: offset of the last event applied; 0 if unknown. The result is a minimum: a Redis that
    was restored from a backup counts on from there, so what it lost at its end does not show.
    """
    offsets = [entry.offset for entry in entries if entry.offset]
    if not offsets:
        return 0
    first, last = offsets[0], offsets[-1]
    start = before if 0 < before < first else first - 1
    return max(0, last - start - len(offsets))

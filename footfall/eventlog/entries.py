"""The values that the log takes and returns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

NO_PRODUCER = -1
"""In the columns, for an entry that was not made by a producer of this log."""


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
    meta: bytes = b""

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


Row = tuple[bytes, int, int, int, int, bytes, bytes]
"""An entry: one value of each of the columns."""


@dataclass
class Columns:
    """Entries as lists of equal length, in order: for many they are faster than objects.

    An entry without an event id has NO_PRODUCER as its producer id, sequence and time.
    """

    ids: list[bytes] = field(default_factory=list)
    producer_ids: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    ats: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    metas: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Columns":
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls()

    def __len__(self) -> int:
        return len(self.ids)

    def __iadd__(self, more: "Columns") -> "Columns":
        self.ids += more.ids
        self.producer_ids += more.producer_ids
        self.sequences += more.sequences
        self.ats += more.ats
        self.offsets += more.offsets
        self.bodies += more.bodies
        self.metas += more.metas
        return self

    @property
    def entries(self) -> list[Entry]:
        rows = zip(*vars(self).values(), strict=True)
        return [
            Entry(entry_id, _event_id(producer_id, sequence), at, offset, body, meta)
            for entry_id, producer_id, sequence, at, offset, body, meta in rows
        ]

    def position(self, index: int = -1) -> Position:
        """Return the position of one of the entries: usually of the last."""
        event_id = _event_id(self.producer_ids[index], self.sequences[index])
        return Position(self.ids[index], event_id, self.offsets[index])


class Slice(NamedTuple):
    """The answer to a read."""

    columns: Columns
    reaches_end: bool
    """Whether there was nothing after the last entry when it was read."""

    @property
    def entries(self) -> list[Entry]:
        return self.columns.entries


def _event_id(producer_id: int, sequence: int) -> EventId | None:
    return None if producer_id == NO_PRODUCER else EventId(producer_id, sequence)


def missing(before: int, offsets: Sequence[int]) -> int:
    """Return how many events are missing between the last one applied and the last one read.

    before: offset of the last event applied; 0 if unknown. offsets: of the events read. The result
    is a minimum: a Redis that was restored from a backup counts on from there, so what it lost at
    its end does not show.
    """
    known = [offset for offset in offsets if offset]
    if not known:
        return 0
    first, last = known[0], known[-1]
    start = before if 0 < before < first else first - 1
    return max(0, last - start - len(known))

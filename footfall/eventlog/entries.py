"""The values that the log takes and returns."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

NO_PRODUCER = -1
"""In the columns, for an entry that was not made by a producer of this log."""


MAX_DELAY_MS = 25 * 3_600_000
"""How long before it was appended an event may have happened: views that were seen elsewhere come
later. Beyond that the clock of its producer is wrong."""
RANDOM_BITS = 48
"""Of a producer id. Above them it has the day of its producer, in 15 bits."""
UNKNOWN_DAY = 2**15 - 1
"""The day of a producer whose process does not know the day."""


class EventId(NamedTuple):
    """Identifies one event of a partition for ever."""

    producer_id: int
    """63 bits: see `new_producer_id`."""
    sequence: int
    """Starts at 0 and grows by 1 with every append of the producer to this partition."""


def new_producer_id(day: int) -> int:
    """Return a random id; its upper bits are the day, as `day_of` returns it.

    A new one equals one of 1,000 others of its day once in 10^11 times.
    """
    return min(day, UNKNOWN_DAY) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


def day_of(producer_id: int) -> int:
    """Return the day on which the producer began: an epoch of `footfall.identity`, by 24.

    Of an id that was all random, as ids were before, it is any number from 0 to `UNKNOWN_DAY`.
    """
    return producer_id >> RANDOM_BITS


class Entry(NamedTuple):
    """One event in the log."""

    id: bytes
    """Redis' id of the entry, `b"1763683200123-0"`."""
    event_id: EventId | None
    """None for an entry that was not made by a producer of this log."""
    at: int
    """When the event happened, by the producer's clock: milliseconds since 1970."""
    offset: int
    """Place in the partition, counted from 1; 0 if unknown. A hint, with which nothing is decided:
    the key that counts it may be deleted, forged or restored."""
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
    sparse: set[int] = field(default_factory=set)
    """Producers, of version 1, that counted all partitions together: their sequences have gaps."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Columns":
        if not rows:
            return cls()
        columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
        return cls(*columns)

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
        self.sparse |= more.sparse
        return self

    @property
    def entries(self) -> list[Entry]:
        event_ids = map(_event_id, self.producer_ids, self.sequences)
        columns = (self.ids, event_ids, self.ats, self.offsets, self.bodies, self.metas)
        return list(map(Entry, *columns))

    def position(self, index: int = -1) -> Position:
        """Return the position of one of the entries: usually of the last."""
        event_id = _event_id(self.producer_ids[index], self.sequences[index])
        return Position(self.ids[index], event_id, self.offsets[index])


class PositionLost(StrEnum):
    """Why a log does not have the entry at a position: trimming never removes that."""

    STARTED_OVER = "started_over"
    """It was emptied, or restored from an older backup."""
    TRIMMED = "trimmed"
    """Only later entries are left: they were trimmed by hand, or the position is that of a database
    that was restored from a backup."""


class Slice(NamedTuple):
    """The answer to a read."""

    columns: Columns
    reaches_end: bool
    """Whether there was nothing after the last entry when it was read."""
    position_lost: PositionLost | None = None
    """Set if it was read from the beginning, because the log does not have the position."""

    @property
    def entries(self) -> list[Entry]:
        return self.columns.entries


def _event_id(producer_id: int, sequence: int) -> EventId | None:
    return None if producer_id == NO_PRODUCER else EventId(producer_id, sequence)

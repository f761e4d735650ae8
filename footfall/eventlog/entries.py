"""The values that the log takes and gives."""

from collections.abc import Sequence
from typing import NamedTuple


class EventId(NamedTuple):
    """Identifies one event for ever."""

    producer_id: int
    """Random, 63 bits: a new one is one of 100,000 that are remembered once in 10^14 times."""
    sequence: int
    """Grows with every append of the session, from 0."""


class Entry(NamedTuple):
    """One event as it stands in the log."""

    id: bytes
    """Redis' id of the entry, `b"1763683200123-0"`."""
    number: EventId | None
    """None for an entry that no writer of this log has made."""
    at: int
    """When the event happened, by its writer's clock: milliseconds since 1970."""
    offset: int
    """How many entries the partition had been given up to this one; 0 where unknown."""
    body: bytes

    @property
    def appended_at(self) -> int:
        """When it was appended, by Redis' clock: milliseconds since 1970."""
        return int(self.id.partition(b"-")[0])


class Position(NamedTuple):
    """The last entry that a reader has dealt with: a hint that saves reading, never a proof."""

    id: bytes
    number: EventId | None
    offset: int

    @classmethod
    def of(cls, entry: Entry) -> "Position":
        return cls(entry.id, entry.number, entry.offset)


class Appended(NamedTuple):
    """The answer to an append."""

    id: bytes
    number: EventId
    values: Sequence[bytes] = ()
    """Of a prepared event: the value that goes with it, then the numbers."""


class Slice(NamedTuple):
    """The answer to a read."""

    entries: list[Entry]
    reaches_end: bool
    """Whether nothing stood behind the last entry at the moment of reading."""

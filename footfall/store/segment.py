"""The data of a segment: events as columns, encoded and decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from footfall.events import decode as decode_body

NO_SEQUENCE = -1
"""The sequence of an event without an id: it went past the log."""


class Run(NamedTuple):
    """Consecutive events of one partition, stored together."""

    number: int
    """Of the segment in which they were stored first; 0 until they are stored."""
    partition: int
    events: int


class Corrupt(Exception):
    """The data of a segment cannot be read."""


@dataclass
class Events:
    """Events as columns. `body`, `producer` and `meta` are indexes: one for each event."""

    runs: list[Run] = field(default_factory=list)
    """In the order of the events; together they have all events."""
    bodies: list[bytes] = field(default_factory=list)
    """Distinct bodies, version 2: what was viewed."""
    body: Sequence[int] = ()
    at: Sequence[int] = ()
    """When each happened: milliseconds since 1970."""
    producer_ids: list[int] = field(default_factory=list)
    """Distinct ids; 0 for events without one."""
    producer: Sequence[int] = ()
    sequence: Sequence[int] = ()
    """Of each, or NO_SEQUENCE."""
    metas: list[bytes] = field(default_factory=list)
    """Distinct metadata, see `events.Meta`; usually only b""."""
    meta: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def targets(self) -> list[dict[str, list[int]]]:
        """What was viewed, for each of `bodies`: ids by label. Raises Malformed."""
        return [decode_body(body) for body in self.bodies]

"""Reads segments from a position on."""

from collections.abc import Sequence

from footfall.models import Segment, StorePosition
from footfall.store.segment import Events


class PositionLost(Exception):
    """The store has no segment that ends at the position: it was restored from a backup."""


def segments_after(position: StorePosition, max_events: int | None = None) -> Sequence[Segment]:
    """Return the segments after `position` in order, without their data.

    max_events: return fewer once they have so many events; always one, if there is one.
    Raises PositionLost.
    """
    raise NotImplementedError


def load(segment: Segment) -> Events:
    """Return the events of a segment.

    One that is corrupt has none: it is marked with `corrupt_at`, and operators are told.
    """
    raise NotImplementedError


def remember(segment: Segment, events: Events) -> None:
    """Let `load` in this process return the events of a new segment without reading them."""
    raise NotImplementedError

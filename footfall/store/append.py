"""Appends segments to the store. The head's row is locked last, and only until the commit."""

from datetime import datetime

from footfall.models import Segment, StorePosition
from footfall.store.segment import Events


def append(
    events: Events, now: datetime, *, seconds: float = 0.0, drained: int = 0
) -> tuple[StorePosition, list[Segment]]:
    """Store `events` in the transaction of the caller, and number the segments.

    Returns the position before them, and the segments: more than one if they would be too large.
    """
    raise NotImplementedError

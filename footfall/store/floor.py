"""Up to where the store may be changed: projections, recounts and reclassifications have read what
is below.
"""

from typing import NamedTuple

from footfall.identity import HOURS_PER_DAY, epoch
from footfall.models import Correcting, Projection, Recount

ABANDONED_AFTER = HOURS_PER_DAY
"""Epochs since a recount went on: with more, it is abandoned. No single jump of a clock is more."""


class Reader(NamedTuple):
    """A projection, a recount, or a reclassification."""

    number: int
    """Of the segment up to which it has read."""
    name: str


def passed() -> int:
    """Return the number of the last segment that every projection and every recount has passed."""
    first = slowest()
    return first.number if first else 0


def slowest() -> Reader | None:
    """Return the one that is the furthest behind; None if there is no projection."""
    projections = [
        Reader(number, f"the projection {name}")
        for name, number in Projection.objects.values_list("name", "number")
    ]
    if not projections:
        return None
    oldest = epoch() - ABANDONED_AFTER
    recounts = Recount.objects.filter(epoch__gte=oldest)
    positions = recounts.values_list("label", "number", "boundary_number")
    parts = Correcting.objects.filter(done=False).values_list("label", "number")
    return min([
        *projections,
        *(Reader(min(at), f"the recount of {label}") for label, *at in positions),
        *(Reader(number, f"the reclassification of {label}") for label, number in parts),
    ])  # fmt: skip

"""Gives up the events of a corrupt segment: a person's decision, which nothing else takes."""

from django.db import transaction
from django.db.models import F

from footfall.models import Correction, Projection, Segment
from footfall.registry import limits
from footfall.store.append import locked_head, new_segment
from footfall.store.read import verified
from footfall.store.segment import Corrupt, Events
from footfall.store.visits import forget_windows


class NotCorrupt(Exception):
    """The segment can be read, or there is none of this number; the message says which."""


def discard(number: int) -> int:
    """Make a corrupt segment an empty one; return how many events are given up.

    What was counted of them stays counted, until counters are repaired or rebuilt. Raises
    NotCorrupt.
    """
    with transaction.atomic():
        row = Segment.objects.select_for_update().filter(number=number).first()
        if row is None:
            raise NotCorrupt(f"there is no segment {number}")
        try:
            verified(row)
        except Corrupt:
            pass
        else:
            raise NotCorrupt(f"segment {number} can be read")
        given_up = row.events
        _empty(row)
        for label in limits():  # what is remembered of visits may have them
            list(Projection.objects.select_for_update().filter(name=f"totals:{label}"))
            forget_windows(label)
        # All counts of events from the beginning of the store are lower from here on.
        Projection.objects.filter(number__gte=number).update(events=F("events") - given_up)
        head = locked_head()
        head.events -= given_up
        head.discarded += given_up
        head.save(update_fields=["events", "discarded"])
        Correction.objects.create(
            kind=Correction.Kind.DISCARD,
            before=given_up,
            after=0,
            text=f"segment {number}: its events cannot be read, and were given up",
        )
    return given_up


def _empty(row: Segment) -> None:
    """Leave number, key and times: positions stay where they are."""
    empty = new_segment(Events(), row.stored_at, row.epoch)
    row.events, row.partitions = 0, {}
    row.version, row.checksum, row.data = empty.version, empty.checksum, empty.data
    row.corrupt_at = None
    row.save()

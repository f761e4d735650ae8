"""Appends segments to the store. The head's row is locked last, and only until the commit."""

import secrets
import zlib
from datetime import datetime
from functools import partial

from django.db import transaction

from footfall import identity
from footfall.common.compiled import Compiled
from footfall.models import Segment, StoreHead, StorePosition
from footfall.store.builder import split
from footfall.store.read import remember, store_head
from footfall.store.segment import VERSION, Events, encode

HEAD = 1
"""The primary key of the one row."""
LOCKED = Compiled(lambda: StoreHead.objects.select_for_update().filter(pk=HEAD))


def append(
    events: Events, now: datetime, *, seconds: float = 0.0, drained: int = 0, keyed: int = 0
) -> tuple[StorePosition, list[Segment]]:
    """Store `events` in the transaction of the caller, and number the segments.

    Returns the position before them, and the segments: more than one if they would be too large,
    none if there are no events. Once it is committed, `read.load` has them without reading.
    """
    parts = list(split(events))
    if not parts:
        return store_head().position, []
    epoch = identity.epoch()
    segments = [new_segment(part, now, epoch, quickly=True) for part in parts]
    segments[0].seconds, segments[0].drained, segments[0].keyed = seconds, drained, keyed
    head = locked_head()
    before = head.position
    for segment, part in zip(segments, parts, strict=True):
        head.number += 1
        head.key = secrets.randbelow(2**63 - 1) + 1
        head.events += len(part)
        segment.number = segment.first = head.number
        segment.key = head.key
        segment.save(force_insert=True)
        transaction.on_commit(partial(remember, segment, part))
    head.save(update_fields=["number", "key", "events"])
    return before, segments


def new_segment(
    events: Events, stored_at: datetime, epoch: int = 0, *, quickly: bool = False
) -> Segment:
    """Return a segment with these events, without number and key. quickly: see `encode`."""
    data = encode(events, quickly=quickly)
    return Segment(
        events=len(events),
        first_at=min(events.at, default=0),
        last_at=max(events.at, default=0),
        stored_at=stored_at,
        partitions={str(number): n for number, n in events.by_partition().items()},
        version=VERSION,
        checksum=zlib.crc32(data),
        data=data,
        epoch=epoch,
    )


def locked_head() -> StoreHead:
    """Lock the end of the store, and return it. Lock it last, and commit soon: ingests wait."""
    found = LOCKED.all()
    if not found:
        # One at a time. To insert and ignore the conflict would not do: on MySQL, several that wait
        # for the first share a lock of its row then, and none of them can lock it alone.
        identity.lock_identity()
        found = LOCKED.all() or [StoreHead.objects.create(pk=HEAD)]
    return found[0]

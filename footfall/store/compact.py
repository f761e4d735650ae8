"""Compaction: consecutive small segments become one. At low traffic, a segment is mostly overhead.

Only segments that all have passed, and of one day: retention removes whole segments. An event is
written again some five times at most, since a segment is only merged into one that is several times
as large, or full.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from footfall.common.failpoints import failpoint
from footfall.identity import HOURS_PER_DAY
from footfall.models import Segment
from footfall.sql import Conflict
from footfall.store.append import new_segment
from footfall.store.builder import EventsBuilder, size_of
from footfall.store.floor import passed
from footfall.store.read import decoded
from footfall.store.segment import Events

MAX_EVENTS = 50_000
MAX_DATA = 3 * 1024**2
"""Bytes of all that is merged into one segment: the result is shorter than 4 MB."""
MAX_SEGMENTS = 5_000
"""Segments that one merge reads."""
MAX_DECODED = 16 * 1024**2
"""Bytes that one merge has in memory, as `size_of` has them."""
GROWTH = 4
"""How much larger than the largest of them a merged segment is, unless it is full."""
MIN_AGE = timedelta(minutes=1)
"""So that readers rarely meet it, though they go on if they do; and `status` looks at the segments
of the last minute."""


class Small(NamedTuple):
    """A segment that may be merged."""

    number: int
    first: int
    events: int
    data: int
    """Its length in bytes."""
    day: tuple[date, int]
    """Also by epoch: only what retention would remove on one day is merged."""


@dataclass
class Group:
    """Consecutive segments that fit into one."""

    segments: list[Small] = field(default_factory=list)
    events: int = 0
    data: int = 0

    def fits(self, segment: Small) -> bool:
        """Tell whether `segment` can be added."""
        if not self.segments:
            return True
        last = self.segments[-1]
        return (
            (segment.first, segment.day) == (last.number + 1, last.day)
            and self.events + segment.events <= MAX_EVENTS
            and self.data + segment.data <= MAX_DATA
            and len(self.segments) < MAX_SEGMENTS
        )

    def add(self, segment: Small) -> None:
        self.segments.append(segment)
        self.events += segment.events
        self.data += segment.data


def compact() -> int:
    """Merge what can be merged, the oldest first; return how many segments there are fewer.

    Each merge is a transaction. Stops where another process compacts.
    """
    removed = 0
    for first, last in list(groups(_candidates())):
        while first <= last:
            try:
                end, merged = _merge(first, last)
            except Conflict:
                return removed
            removed += max(0, merged - 1)
            first = end + 1
    return removed


def groups(segments: Iterable[Small]) -> Iterator[tuple[int, int]]:
    """Yield what is worth merging: the numbers of the first and of the last segment."""
    group = Group()
    for segment in segments:
        if not group.fits(segment):
            yield from _range(group.segments)
            group = Group()
        group.add(segment)
    for some in _growing(group.segments):
        yield from _range(some)


def _growing(segments: Sequence[Small]) -> Iterator[Sequence[Small]]:
    """Yield parts of the last group that are GROWTH times as large as their largest segment."""
    sizes = [segment.events for segment in segments]
    largest = max(sizes, default=0)
    if sum(sizes) >= GROWTH * largest:
        yield segments
    else:
        place = sizes.index(largest)
        yield from _growing(segments[:place])
        yield from _growing(segments[place + 1 :])


def _range(segments: Sequence[Small]) -> Iterator[tuple[int, int]]:
    if len(segments) > 1:
        yield segments[0].number, segments[-1].number


def _small() -> QuerySet[Any]:
    """Return the segments that may be merged, in order; two neighbours always fit into one."""
    old = Segment.objects.filter(number__lte=passed(), stored_at__lt=timezone.now() - MIN_AGE)
    small = old.annotate(length=Length("data")).filter(
        events__lte=MAX_EVENTS // 2, length__lte=MAX_DATA // 2, corrupt_at=None
    )
    return small.order_by("number")


def _candidates() -> Iterator[Small]:
    rows = _small().values_list("number", "first", "events", "length", "stored_at", "epoch")
    for number, first, events, length, stored_at, epoch in rows.iterator():
        day = stored_at.date(), epoch // HOURS_PER_DAY
        yield Small(number, first, events, length, day)


def _merge(first: int, last: int) -> tuple[int, int]:
    """Merge the segments from number `first` to `last`, or some of them, beginning with `first`.

    Returns the number of the last one, and how many they were. Raises Conflict if another process
    compacts, or has changed them.
    """
    with transaction.atomic():
        lock_store()
        rows = list(_small().filter(number__gte=first, number__lte=last))
        if not rows:
            raise Conflict("the segments have changed")
        merged, events = _collect(rows)
        if len(merged) > 1:
            _replace(merged, events)
        failpoint("before_compact_commit")
    failpoint("after_compact_commit")
    return (merged[-1] if merged else rows[0]).number, len(merged)


def lock_store() -> None:
    """Lock the first segment, whichever it is: only one process compacts or removes at a time.

    Raises Conflict.
    """
    rows = Segment.objects.order_by("number").values_list("number", flat=True)
    first = rows.first() or 0
    if not rows.select_for_update(skip_locked=True).filter(number=first):
        raise Conflict("another process compacts")


def _collect(rows: Iterable[Segment]) -> tuple[list[Segment], Events]:
    """Return the first of `rows` that can be merged, and their events."""
    builder = EventsBuilder()
    merged: list[Segment] = []
    size = 0
    for row in rows:
        if merged and row.first != merged[-1].number + 1:  # what was between them is corrupt
            break
        events = decoded(row)
        size += size_of(events)
        if row.corrupt_at or (merged and size > MAX_DECODED):
            break
        builder.extend(events)
        merged.append(row)
    return merged, builder.events()


def _replace(merged: Sequence[Segment], events: Events) -> None:
    first, last = merged[0], merged[-1]
    segment = new_segment(events, last.stored_at, last.epoch)
    if not len(events):  # all of them were given up
        segment.first_at, segment.last_at = first.first_at, last.last_at
    segment.number, segment.key, segment.first = last.number, last.key, first.first
    segment.seconds = sum(row.seconds for row in merged)
    segment.drained = sum(row.drained for row in merged)
    segment.keyed = sum(row.keyed for row in merged)
    removed = Segment.objects.filter(number__gte=first.number, number__lte=last.number).delete()[0]
    if removed != len(merged):
        raise Conflict("another process has changed the segments")
    segment.save(force_insert=True)

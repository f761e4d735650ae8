"""Retention: whole segments, the oldest first, leave the store into the base of their targets.

A view is in the base or in the store: each chunk is one transaction. Epochs decide what is old, and
no clock.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length

from footfall import sql
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.identity import HOURS_PER_DAY, epoch
from footfall.models import Base, Projection, Segment, StoreHead
from footfall.policies import named
from footfall.registry import countable_models
from footfall.sql import Conflict
from footfall.sql.batch import Views
from footfall.sql.batch import summed as sum_up
from footfall.store.append import locked_head
from footfall.store.builder import size_of
from footfall.store.compact import lock_store
from footfall.store.floor import passed, slowest
from footfall.store.read import decoded, store_head
from footfall.store.views import Summed
from footfall.store.visits import Visits, left_uncounted
from footfall.verdicts import Verdicts, current, present_version

logger = logging.getLogger(__name__)

MAX_EVENTS = 500_000
"""About how many events leave in one transaction."""
MAX_DECODED = 32 * 1024**2
"""Bytes that one transaction has in memory, as `size_of` has them."""
MAX_SEGMENTS = 500
"""Segments that one transaction removes."""


class Due(NamedTuple):
    """A segment that is to leave the store."""

    number: int
    is_corrupt: bool
    missing: int = 0
    """The number of a segment that should be before it, and is not in the store; 0: none."""


@dataclass(frozen=True)
class Retention:
    """What is in the store, what has left it, and what holds that up."""

    data_bytes: int
    """Of all segments."""
    removed: int
    """Number of the last segment that has left; 0 if none has."""
    held_up_by: str = ""
    """Why the next segment that is due cannot leave; empty if it can, or nothing is due."""


def remove_due() -> int:
    """Let everything leave the store that is due and can; return how many segments that were.

    Each chunk is a transaction. Stops where another process compacts or removes.
    """
    removed = 0
    try:
        while some := _remove_some():
            removed += some
    except Conflict as reason:
        logger.info("no more events leave the event store now: %s", reason)
        return removed
    if held_up_by := retention().held_up_by:
        logger.warning("the event store keeps more than it should: %s", held_up_by)
    return removed


def retention() -> Retention:
    """Return how far it is. Reads the length of every segment."""
    head = store_head()
    data_bytes = _data_bytes()
    first = next(_due(), None)
    obstacle = _obstacle(first) if first else ""
    return Retention(data_bytes, head.removed_number, obstacle)


def _obstacle(first: Due) -> str:
    reader = slowest()
    if first.missing:
        return f"segment {first.missing} is missing: put it back from a backup"
    if first.is_corrupt:
        return (
            f"segment {first.number} is corrupt: put it back from a backup, or give up its events"
            f" with `counters discard {first.number}`"
        )
    if reader is None:
        return "there is no projection yet"
    if reader.number < first.number:
        return f"{reader.name} has not read segment {first.number} yet"
    return ""


def _data_bytes() -> int:
    lengths = Segment.objects.annotate(length=Length("data"))
    return int(lengths.aggregate(n=Sum("length"))["n"] or 0)


def _due() -> Iterator[Due]:
    """Yield the segments that are too old, or too many, the oldest first."""
    days, most = conf.COUNTERS_KEEP_DAYS, conf.COUNTERS_STORE_MAX_BYTES
    if not days and not most:
        return
    until = epoch() - days * HOURS_PER_DAY
    too_many = _data_bytes() - most if most else 0
    rows = Segment.objects.annotate(length=Length("data")).order_by("number")
    fields = ("number", "first", "epoch", "length", "corrupt_at")
    found = list(rows.values_list(*fields)[:MAX_SEGMENTS])  # before the head: others remove, too
    last = StoreHead.objects.values_list("removed_number", flat=True).order_by("pk").first() or 0
    for number, first, its_epoch, length, corrupt_at in found:
        if (not days or its_epoch > until) and too_many <= 0:
            return
        too_many -= length
        yield Due(number, corrupt_at is not None, last + 1 if first > last + 1 else 0)
        last = number


def _remove_some() -> int:
    """Let the first segments leave; return how many. Raises Conflict."""
    with transaction.atomic():
        numbers = _removable()
        if not numbers:
            return 0
        lock_store()
        verdicts = current()
        removed, summed, visits, events = _collect(numbers, verdicts)
        if not removed:
            return 0
        last = removed[-1]
        _leave_visits(visits, last.number)
        _add_to_base(summed, is_old=epoch() - last.epoch >= _hourly_epochs())
        _delete(removed)
        head = locked_head()
        if passed() < last.number:  # a recount has begun meanwhile
            raise Conflict("a recount needs the segments")
        if present_version() != verdicts.version:
            raise Conflict("agents were classified anew")
        head.removed_number, head.removed_key = last.number, last.key
        head.removed_events += events
        head.save(update_fields=["removed_number", "removed_key", "removed_events"])
        failpoint("before_remove_commit")
    failpoint("after_remove_commit")
    return len(removed)


def _removable() -> list[int]:
    """Return the numbers of the first segments that are due, that all have read and can be read."""
    limit, numbers = passed(), []
    for segment in _due():
        if segment.missing or segment.is_corrupt or segment.number > limit:
            break
        numbers.append(segment.number)
    return numbers


def _leave_visits(visits: Visits, last: int) -> None:
    """Note what counters that go by visitor have not counted of what leaves. Raises Conflict."""
    rows = Projection.objects.filter(name__startswith="totals:").order_by("name")
    limited = {row.name for row in rows if row.label in visits.policies or named(row.policy)}
    for row in rows.filter(name__in=limited).select_for_update():
        if row.label not in visits.policies and row.label not in countable_models():
            raise Conflict(f"{row.label} is counted by visitor, and not known here")
        if found := visits.of.get(row.label):
            left_uncounted(row, found, last)


def _collect(
    numbers: Sequence[int], verdicts: Verdicts
) -> tuple[list[Segment], Summed, Visits, int]:
    """Return the first of these segments that can leave together, their views, and their events."""
    summed, visits = Summed(), Visits()
    removed: list[Segment] = []
    size = events = 0
    for row in Segment.objects.filter(number__in=numbers).order_by("number").iterator(16):
        found = decoded(row)
        size += size_of(found)
        if row.corrupt_at or (removed and (size > MAX_DECODED or events >= MAX_EVENTS)):
            break
        summed.add(found, verdicts)
        visits.add(found)
        removed.append(row)
        events += row.events
    return removed, summed, visits, events


def _delete(rows: Sequence[Segment]) -> None:
    keys = [(row.number, row.checksum) for row in rows]
    kept = Segment.objects.filter(number__in=[row.number for row in rows])
    if sorted(kept.values_list("number", "checksum")) != keys:
        raise Conflict("another process has changed the segments")
    kept.delete()


def _hourly_epochs() -> int:
    return conf.COUNTERS_HOURLY_DAYS * HOURS_PER_DAY


def _add_to_base(summed: Summed, *, is_old: bool) -> None:
    """Add to the base: by hour, or, of what is old, by day, as rollups are compacted."""
    for label in sorted(summed.hours):
        app, _, model = label.partition(".")
        kind, _created = ContentType.objects.get_or_create(app_label=app, model=model)
        views = summed.views(label)
        sql.add_views(Base, kind.pk, _by_day(views) if is_old else views)


def _by_day(views: Views) -> Views:
    rows = views.rows()
    return sum_up((hour - hour % HOURS_PER_DAY, target, n) for hour, target, n in rows)

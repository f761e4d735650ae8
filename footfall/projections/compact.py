"""Compaction: views of old hours move to the first hour of their day. No view is lost.

The views of deleted targets move to one row per model and day. The sketches of visitors are kept as
long as hours are; after that, the number of visitors is.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import models, transaction
from django.db.models.functions import TruncDay
from django.utils import timezone

from footfall import sql
from footfall.common.chunks import chunks
from footfall.conf import conf
from footfall.identity import database_now, ensure_identity
from footfall.models import COLUMNS, Base, HourTotal, Rollup, VisitorSketch
from footfall.projections import rows
from footfall.projections.series import DAY, Interval, number
from footfall.registry import content_type_of, countable_models, is_keyed
from footfall.sql.batch import summed

CHUNK_SIZE = 1_000  # targets of which one transaction compacts a day
SPAN = 10_000  # ids that one statement searches for deleted targets
DELETED_CHUNK_SIZE = 50  # deleted targets in one transaction: each may have thousands of days
DELETED = 0
"""The target id of the views of deleted targets. Events cannot have it."""


def compact() -> int:
    """Compact what is older than the retention; return how many rows were removed.

    Views of such hours that are counted later are compacted by the next call.
    """
    ensure_identity()
    now = min(timezone.now(), database_now())  # hours that are gone do not come back
    cutoff = Interval.DAY.start(now - timedelta(days=conf.COUNTERS_HOURLY_DAYS))
    removed = 0
    rows.open_missing(countable_models())
    for model in countable_models().values():
        for day in _days(model, cutoff):
            while some := compact_some(model, day):
                removed += some
            removed += compact_totals(model, day)
        removed += compact_deleted(model, cutoff)
        removed += compact_visitors(model, cutoff)
    return removed


def _days(model: type[models.Model], cutoff: datetime) -> list[datetime]:
    """Return the days before `cutoff` that are not compacted: their totals still have hours."""
    totals = HourTotal.objects.filter(content_type=content_type_of(model), hour__lt=cutoff)
    days = totals.annotate(day=TruncDay("hour", tzinfo=UTC)).exclude(hour=models.F("day"))
    return sorted(set(days.values_list("day", flat=True)))


@contextmanager
def _alone(model: type[models.Model]) -> Iterator[None]:
    """A transaction in which nothing else adds to the views of `model` by the hour."""
    with transaction.atomic():
        rows.lock(model._meta.label_lower, ["hourly"])
        yield


def compact_some(model: type[models.Model], day: datetime) -> int:
    """Compact one day of some targets of `model`; return how many rows were removed."""
    rollups = Rollup.objects.filter(content_type=content_type_of(model))
    hours = rollups.filter(hour__gt=day, hour__lt=day + DAY)
    with _alone(model):
        targets = hours.order_by("target_id").values_list("target_id", flat=True).distinct()
        ids = list(targets[:CHUNK_SIZE])
        there = model._base_manager.filter(pk__in=ids)
        deleted = set(ids) - set(there.values_list("pk", flat=True))
        moved = _move(model, hours.filter(target_id__in=ids), deleted)
        _move_base(model, day, ids)
        return moved + _move(model, rollups.filter(target_id__in=deleted, hour=day), deleted)


def _move(
    model: type[models.Model], rollups: models.QuerySet[Rollup], deleted: Iterable[int]
) -> int:
    """Move views to the first hour of their day, those of deleted targets to `DELETED`."""
    deleted = frozenset(deleted)
    rows = list(rollups.values_list("target_id", "hour", *COLUMNS))
    if rows:
        rollups.delete()
        days = (
            (number(Interval.DAY.start(hour)), DELETED if target in deleted else target, numbers)
            for target, hour, *numbers in rows
        )
        sql.add_rollups(model, summed(days))
    return len(rows)


def _move_base(model: type[models.Model], day: datetime, ids: Iterable[int]) -> None:
    """Move their views in the base to the first hour of the day.

    Retention may add to these rows meanwhile, so nothing is deleted but what is left empty.
    """
    of_model = Base.objects.filter(content_type=content_type_of(model), target_id__in=ids)
    hours = of_model.filter(hour__gt=day, hour__lt=day + DAY)
    moved: list[tuple[int, int, list[int]]] = []
    for target, hour, *numbers in hours.values_list("target_id", "hour", *COLUMNS):
        moved.append((number(day), target, numbers))
        moved.append((number(hour), target, [-number for number in numbers]))
    sql.add_views(Base, content_type_of(model).pk, summed(moved))
    hours.filter(views=0).delete()


def compact_totals(model: type[models.Model], day: datetime) -> int:
    """Compact the totals of one day; return how many rows were removed.

    Does nothing if there are hourly rollups again: the hours in the totals show them to the next
    call.
    """
    kind = content_type_of(model)
    of_targets = Rollup.objects.filter(content_type=kind, hour__gt=day, hour__lt=day + DAY)
    of_day = HourTotal.objects.filter(content_type=kind, hour__gte=day, hour__lt=day + DAY)
    with _alone(model):
        if of_targets.exists():
            return 0
        hours = list(of_day.filter(hour__gt=day).values_list(*COLUMNS))
        of_day.filter(hour__gt=day).delete()
        sql.add_hour_totals(model, summed((number(day), 0, one) for one in hours).totals())
    return len(hours)


def compact_deleted(model: type[models.Model], cutoff: datetime) -> int:
    """Move the old days of targets that were deleted since; return how many rows were removed."""
    rollups = Rollup.objects.filter(content_type=content_type_of(model), hour__lt=cutoff)
    removed = 0
    for ids in _deleted(model, rollups):
        with _alone(model):
            removed += _move(model, rollups.filter(target_id__in=ids), ids)
    return removed


def compact_visitors(model: type[models.Model], cutoff: datetime) -> int:
    """Keep of old days how many visitors there were, and no sketch; remove deleted targets.

    Returns how many rows were removed.
    """
    rows = VisitorSketch.objects.filter(content_type=content_type_of(model), beside=False)
    old = rows.filter(day__lt=cutoff.date()).exclude(sketch=b"").order_by()
    for day in sorted({*old.values_list("day", flat=True).distinct()}):
        old.filter(day=day).update(sketch=b"")
    removed = 0
    for ids in _deleted(model, rows):
        removed += rows.filter(target_id__in=ids).delete()[0]
    return removed


def _deleted(
    model: type[models.Model],
    rollups: models.QuerySet[Rollup] | models.QuerySet[VisitorSketch],
) -> Iterator[Sequence[int]]:
    """Yield ids that have rollups but no target, `DELETED_CHUNK_SIZE` at a time."""
    ids = rollups.order_by("target_id").values_list("target_id", flat=True)
    first = ids.filter(target_id__gt=DELETED).first()
    while first is not None:
        last = first + SPAN - 1
        if is_keyed(model):  # hashes are far apart
            last = max(ids.filter(target_id__gte=first).distinct()[:CHUNK_SIZE])
        viewed = set(ids.filter(target_id__gte=first, target_id__lte=last).distinct())
        there = model._base_manager.filter(pk__gte=first, pk__lte=last)
        gone = sorted(viewed - set(there.values_list("pk", flat=True)))
        yield from chunks(gone, DELETED_CHUNK_SIZE)
        first = ids.filter(target_id__gt=last).first()

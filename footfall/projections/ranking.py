"""Rankings: the most viewed of each countable model, computed by a task and read by requests.

Computing one takes longer the more rollups the window has. So it is computed as often as possible,
but for at most a fiftieth of the time.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Any

from django.db import models, transaction
from django.db.models import Max, Sum
from django.utils import timezone

from footfall.models import COLUMNS, Adjustment, Correction, Projection, Ranking, Rollup
from footfall.projections.series import HOUR, Interval, Point, series_of_many
from footfall.projections.visitors.distinct import visitors_in
from footfall.registry import content_type_of, countable_models, counter_field

KEPT = 100
"""Number of targets in a ranking."""
WITH_SERIES = 20
"""Number of them that have their recent views, for a sparkline."""
MIN_AGE = timedelta(seconds=5)
SETTLED = timedelta(minutes=1)
"""A transaction that notes its time may end so long afterwards."""
IDLE_AGE = timedelta(minutes=10)
"""Age at which a ranking is computed again if nothing has changed. A new hour changes all."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESOLUTION = timedelta(microseconds=1)
SHARE = 50  # a ranking that took 1 s is computed again after 50 s


class Window(Enum):
    """The time in which views are counted: whole hours, of which the current one is the last."""

    DAY = "24h"
    WEEK = "7d"
    ALL = "all"

    @property
    def hours(self) -> int | None:
        return {Window.DAY: 24, Window.WEEK: 168}.get(self)

    @property
    def points(self) -> tuple[Interval, int]:
        """The points of a sparkline: 24 hours, 7 days, or the last 30 days."""
        days = 7 if self is Window.WEEK else 30
        return (Interval.HOUR, 24) if self is Window.DAY else (Interval.DAY, days)


@dataclass(frozen=True)
class Ranked:
    """A target in a ranking."""

    id: int
    views: int
    before: int | None
    """Views in the previous period of the same length; None for all time."""
    series: list[int]
    trend: float | None
    """0.25: a quarter more views per hour than in the previous period. None: nothing to compare."""
    people: int | None = None
    """Views of people, and of all agents that are known to be none. For all time: as far as the
    rollups reach. None: computed by an older version."""
    robots: int | None = None
    visitors: int | None = None
    """Different people on the days, UTC, that began in the window, see `visitors.distinct`."""

    @classmethod
    def read(cls, kept: Mapping[str, Any], trend: float | None) -> "Ranked":
        """Return what `compute` kept, without fields that a later version has added.

        Workers of the next version write while web servers of this one still read.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: kept[name] for name in known & kept.keys()}, trend=trend)


@dataclass(frozen=True)
class Top:
    """The ranking of one model in one window."""

    as_of: datetime | None
    """None before it was computed for the first time."""
    ranked: list[Ranked]


def top(model: type[models.Model]) -> dict[Window, Top]:
    """Return the rankings as last computed, with one query. Some targets may be deleted by now."""
    tops = dict.fromkeys(Window, Top(None, []))
    for row in Ranking.objects.filter(content_type=content_type_of(model)):
        if at := row.computed_at:
            window = Window(row.window)
            tops[window] = Top(
                at,
                [
                    Ranked.read(one, trend(one["views"], one["before"], window.hours, at))
                    for one in row.ranked
                ],
            )
    return tops


def trend(views: int, before: int | None, hours: int | None, at: datetime) -> float | None:
    """Compare the views per hour; at the time `at`, the last of the `hours` has not ended yet."""
    if not before or not hours:
        return None
    elapsed = hours - 1 + (at - Interval.HOUR.start(at)) / HOUR
    return (views / elapsed) / (before / hours) - 1


def rank_due() -> None:
    """Compute the rankings that are old enough. Four queries if there is none."""
    now = timezone.now()
    settled_at = (_changed_at() or EPOCH) + SETTLED
    idle_age = max(MIN_AGE, min(IDLE_AGE, now - Interval.HOUR.start(now)))
    recent = set()
    for row in Ranking.objects.defer("ranked"):
        is_new = row.computed_at is not None and row.computed_at > settled_at
        if not is_due(row, now, idle_age if is_new else MIN_AGE):
            recent.add((row.content_type_id, row.window))
    for model in countable_models().values():
        for window in Window:
            if (content_type_of(model).pk, window.value) not in recent:
                rank(model, window)


def _changed_at() -> datetime | None:
    """Return when a projection moved, a counter was adjusted, or the past corrected, at last."""
    moved_at = Projection.objects.aggregate(at=Max("moved_at"))["at"]
    adjusted_at = Adjustment.objects.order_by("-pk").values_list("at", flat=True).first()
    corrected_at = Correction.objects.order_by("-pk").values_list("at", flat=True).first()
    return max(filter(None, (moved_at, adjusted_at, corrected_at)), default=None)


def rank(model: type[models.Model], window: Window) -> bool:
    """Compute one ranking; return False if it is recent, or another worker computes it."""
    began = time.monotonic()
    now = timezone.now()
    content_type = content_type_of(model)
    Ranking.objects.get_or_create(content_type=content_type, window=window.value)
    with transaction.atomic():
        rows = Ranking.objects.filter(content_type=content_type, window=window.value)
        row = rows.select_for_update(skip_locked=True).first()
        if row is None or not is_due(row, now):
            return False
        row.ranked = compute(model, window, now)
        row.computed_at, row.seconds = now, time.monotonic() - began
        row.save()
    return True


def is_due(row: Ranking, now: datetime, min_age: timedelta = MIN_AGE) -> bool:
    """Tell whether a ranking is old enough, or from the future: a clock was set back."""
    rest = max(min_age, timedelta(seconds=SHARE * row.seconds))
    return row.computed_at is None or not now - rest < row.computed_at <= now


def compute(
    model: type[models.Model], window: Window, now: datetime
) -> list[dict[str, int | list[int] | None]]:
    """Return the value of `Ranking.ranked`: the fields of `Ranked` without `trend`."""
    since = until = None
    if window.hours is None:
        counter = counter_field(model).name
        viewed = model._base_manager.filter(**{f"{counter}__gt": 0}).order_by(f"-{counter}", "pk")
        views: dict[int, int] = dict(viewed.values_list("pk", counter)[:KEPT])
        before: dict[int, int] = {}
    else:
        since, until = Interval.HOUR.latest(window.hours, now)
        views = _most_viewed(model, _sums(model, since, until))
        earlier = _sums(model, since - window.hours * HOUR, since)
        before = dict(earlier.filter(target_id__in=views))
    interval, points = window.points
    kinds = _kinds(model, views, since, until)
    visitors = visitors_in(model, views, *_days_begun(since, until))
    series = series_of_many(
        model, list(views)[:WITH_SERIES], interval, *interval.latest(points, now)
    )
    return [
        {
            "id": target,
            "views": count,
            "before": None if window.hours is None else before.get(target, 0),
            "series": series.get(target, []),
            "people": kinds[target].people,
            "robots": kinds[target].robots,
            "visitors": visitors[target],
        }
        for target, count in views.items()
    ]


def _days_begun(since: datetime | None, until: datetime | None) -> tuple[date, date]:
    """Return the first day that begins in [since, until), and the first one after; or all days."""
    if since is None or until is None:
        return date.min, date.max
    first, after = (Interval.DAY.start(at - RESOLUTION).date() for at in (since, until))
    return first + timedelta(days=1), after + timedelta(days=1)


def _sums(
    model: type[models.Model], since: datetime, until: datetime
) -> models.QuerySet[Rollup, tuple[int, int]]:
    """Return the views in [since, until) by target, the most viewed first."""
    rollups = Rollup.objects.filter(
        content_type=content_type_of(model), hour__gte=since, hour__lt=until
    )
    sums = rollups.values_list("target_id").annotate(sum=Sum("views"))
    return sums.order_by("-sum", "target_id")


def _kinds(
    model: type[models.Model],
    ids: Collection[int],
    since: datetime | None,
    until: datetime | None,
) -> Mapping[int, Point]:
    """Return the views of targets in [since, until), or of all time, by kinds of agents."""
    rollups = Rollup.objects.filter(content_type=content_type_of(model), target_id__in=ids)
    if since and until:
        rollups = rollups.filter(hour__gte=since, hour__lt=until)
    sums = rollups.order_by().values_list("target_id").annotate(*map(Sum, COLUMNS))
    found = {target: Point(EPOCH, *views) for target, *views in sums}
    return {target: found.get(target, Point(EPOCH, 0)) for target in ids}


def _most_viewed(
    model: type[models.Model], sums: models.QuerySet[Rollup, tuple[int, int]]
) -> dict[int, int]:
    """Return the views of the most viewed targets, leaving out deleted ones.

    Looking up a few hundred targets is faster than joining all rollups to their targets.
    """
    limit = KEPT
    while True:
        found = dict(sums[:limit])
        existing = set(model._base_manager.filter(pk__in=found).values_list("pk", flat=True))
        left = {target: views for target, views in found.items() if target in existing}
        if len(left) >= KEPT or len(found) < limit:
            return dict(islice(left.items(), KEPT))
        limit *= 4

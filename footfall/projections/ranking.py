"""The most viewed of each countable model: computed by a task, read by whoever shows them.

Sorting what was viewed takes as long as there are rollups in the window. So it happens beside
the requests, and as often as it can without taking more than a fiftieth of the time.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.db.models import Sum
from django.utils import timezone

from footfall.models import Ranking, Rollup
from footfall.projections.series import HOUR, Interval, series_of_many
from footfall.registry import content_type_of, countable_models, counter_name

KEPT = 100
"""How many are kept of each model in each window."""
WITH_SERIES = 20
"""How many of them have their recent views with them, for a sparkline."""
LEAST_AGE = timedelta(seconds=5)
SHARE = 50  # a ranking that took a second is computed again after so many


class Window(Enum):
    """How far back views are looked at. Hours are whole ones: the present one is the last."""

    DAY = "24h"
    WEEK = "7d"
    ALL = "all"

    @property
    def hours(self) -> int | None:
        return {Window.DAY: 24, Window.WEEK: 168}.get(self)

    @property
    def points(self) -> tuple[Interval, int]:
        """Of what a sparkline consists: 24 hours, 7 days, or the last 30 days."""
        days = 7 if self is Window.WEEK else 30
        return (Interval.HOUR, 24) if self is Window.DAY else (Interval.DAY, days)


@dataclass(frozen=True)
class Ranked:
    """One of the most viewed."""

    id: int
    views: int
    before: int | None
    """Views in the period of the same length before; None for all time."""
    series: list[int]
    trend: float | None
    """0.25: a quarter more views per hour than in the period before. None: nothing to compare."""


@dataclass(frozen=True)
class Top:
    """The most viewed of one model in one window."""

    as_of: datetime | None
    """None before they were computed for the first time."""
    ranked: list[Ranked]


def top(model: type[models.Model]) -> dict[Window, Top]:
    """Return what was last computed, in one query. Some of the targets may be deleted by now."""
    rows = Ranking.objects.filter(content_type=content_type_of(model))
    found = {row.window: row for row in rows}
    return {window: _top(window, found.get(window.value)) for window in Window}


def _top(window: Window, row: Ranking | None) -> Top:
    if row is None or row.computed_at is None:
        return Top(None, [])
    at = row.computed_at
    ranked = [
        Ranked(**one, trend=trend(one["views"], one["before"], window.hours, at))
        for one in row.ranked
    ]
    return Top(at, ranked)


def trend(views: int, before: int | None, hours: int | None, at: datetime) -> float | None:
    """Compare the views per hour: at `at`, the last of the `hours` had begun but not ended."""
    if not before or not hours:
        return None
    elapsed = hours - 1 + (at - Interval.HOUR.start(at)) / HOUR
    return (views / elapsed) / (before / hours) - 1


def rank_due() -> None:
    """Compute every ranking that is old enough."""
    for model in countable_models().values():
        for window in Window:
            rank(model, window)


def rank(model: type[models.Model], window: Window) -> bool:
    """Compute one ranking; return False if it is fresh, or somebody else computes it."""
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


def is_due(row: Ranking, now: datetime) -> bool:
    """A clock that was set back makes none of them wait."""
    rest = max(LEAST_AGE, timedelta(seconds=SHARE * row.seconds))
    return row.computed_at is None or not now - rest < row.computed_at <= now


def compute(
    model: type[models.Model], window: Window, now: datetime
) -> list[dict[str, int | list[int] | None]]:
    """Return the most viewed, as `Ranking.ranked` keeps them."""
    before: dict[int, int] = {}
    if window.hours is None:
        views = _by_counter(model)
    else:
        since, until = Interval.HOUR.latest(window.hours, now)
        views = _by_rollups(model, since, until)
        before = _sums(content_type_of(model), list(views), since - window.hours * HOUR, since)
    interval, points = window.points
    series = series_of_many(
        model, list(views)[:WITH_SERIES], interval, *interval.latest(points, now)
    )
    return [
        {
            "id": target,
            "views": count,
            "before": None if window.hours is None else before.get(target, 0),
            "series": series.get(target, []),
        }
        for target, count in views.items()
    ]


def _by_counter(model: type[models.Model]) -> dict[int, int]:
    counter = counter_name(model)
    viewed = model._base_manager.filter(**{f"{counter}__gt": 0}).order_by(f"-{counter}", "pk")
    return dict(viewed.values_list("pk", counter)[:KEPT])


def _by_rollups(model: type[models.Model], since: datetime, until: datetime) -> dict[int, int]:
    """Leave out what was deleted, however much of the top it was.

    To look for a few hundred targets is quicker than to join all of them to their rollups.
    """
    sums = _between(content_type_of(model), since, until).values_list("target_id")
    most_first = sums.annotate(sum=Sum("views")).order_by("-sum", "target_id")
    limit = KEPT
    while True:
        found = dict(most_first[:limit])
        existing = set(model._base_manager.filter(pk__in=found).values_list("pk", flat=True))
        left = {target: views for target, views in found.items() if target in existing}
        if len(left) >= KEPT or len(found) < limit:
            return dict(islice(left.items(), KEPT))
        limit *= 4


def _sums(
    content_type: ContentType, targets: list[int], since: datetime, until: datetime
) -> dict[int, int]:
    rollups = _between(content_type, since, until).filter(target_id__in=targets)
    return dict(rollups.order_by().values_list("target_id").annotate(sum=Sum("views")))


def _between(
    content_type: ContentType, since: datetime, until: datetime
) -> models.QuerySet[Rollup]:
    return Rollup.objects.filter(content_type=content_type, hour__gte=since, hour__lt=until)

"""The views of a range as CSV: streamed, in memory that does not grow with them."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import TruncDay

from footfall.common.chunks import pages
from footfall.common.spreadsheet import Line, harmless
from footfall.models import COLUMNS, Rollup
from footfall.ops.figures.ranges import Range
from footfall.projections.kept.rows import instances
from footfall.projections.series import Interval, Point, days_of
from footfall.projections.visitors.distinct import visitors_of
from footfall.registry import content_type_of, key_of

HEADER = ("id", "name", "views", "people", "robots", "unknown", "visitors")
TARGETS_PER_QUERY = 50
ROWS_PER_READ = 2_000


def lines(
    model: type[models.Model], shown: Range, target: models.Model | None = None
) -> Iterator[str]:
    """Yield a header, and a line for each object and each hour or day that has views.

    model: a countable one. target: leave out all other objects.
    """
    writer = csv.writer(Line())
    yield writer.writerow((*HEADER[:2], shown.interval.value, *HEADER[2:]))
    for row in rows(model, shown, target):
        yield writer.writerow(row)


def rows(
    model: type[models.Model], shown: Range, target: models.Model | None
) -> Iterator[tuple[Any, ...]]:
    rollups = Rollup.objects.filter(
        content_type=content_type_of(model), hour__gte=shown.since, hour__lt=shown.until
    )
    is_daily = shown.interval is Interval.DAY
    for page in _pages(model, rollups, target):
        names = {one: (target.pk, harmless(str(target))) for one, target in page.items()}
        of_page = rollups.filter(target_id__in=list(names))
        days = days_of(shown.since, shown.until)
        visitors = visitors_of(model, names, *days) if is_daily else {}
        for pk, point in _points(of_page, shown.interval):
            yield (
                *names[pk],
                f"{point.at:%Y-%m-%d}" if is_daily else f"{point.at:%Y-%m-%dT%H:%MZ}",
                point.views,
                point.people,
                point.robots,
                point.unknown,
                visitors[pk].get(point.at.date(), 0) if is_daily else "",
            )


def _pages(
    model: type[models.Model], rollups: QuerySet[Rollup], target: models.Model | None
) -> Iterator[dict[int, models.Model]]:
    """Yield the objects that have views by the id under which they are counted, some at a time."""
    if target is not None:
        yield {key_of(target) or 0: target}
        return
    viewed = model._base_manager.filter(Exists(rollups.filter(target_id=OuterRef("pk"))))
    for page in pages(viewed, TARGETS_PER_QUERY, "pk"):
        yield instances(model, [target for (target,) in page])


def _points(rollups: QuerySet[Rollup], interval: Interval) -> Iterator[tuple[int, Point]]:
    found: Iterable[Any]
    if interval is Interval.HOUR:
        found = rollups.order_by("target_id", "hour").values_list("target_id", "hour", *COLUMNS)
    else:
        days = rollups.annotate(day=TruncDay("hour", tzinfo=UTC)).order_by("target_id", "day")
        found = days.values_list("target_id", "day").annotate(*map(Sum, COLUMNS))
    for target, at, *views in found.iterator(ROWS_PER_READ):
        yield target, Point(at, *views)

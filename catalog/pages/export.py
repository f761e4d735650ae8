"""The views of all contents by day, as CSV: streamed, in memory that does not grow with them."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import TruncDay

from catalog.pages.models import Content
from footfall.common.spreadsheet import Line, harmless
from footfall.models import COLUMNS, Rollup
from footfall.projections.series import Interval, Point, days_of
from footfall.projections.visitors.distinct import visitors_of
from footfall.registry import content_type_of

COLUMNS_OF_CSV = ("id", "type", "title", "day", "views", "people", "robots", "visitors")
CONTENTS_PER_QUERY = 50
ROWS_PER_READ = 2_000


def lines(since: datetime, until: datetime) -> Iterator[str]:
    """Yield the header, and a line for each content and day of [since, until) that has views."""
    writer = csv.writer(Line())
    yield writer.writerow(COLUMNS_OF_CSV)
    for row in rows(since, until):
        yield writer.writerow(row)


def rows(since: datetime, until: datetime) -> Iterator[tuple[Any, ...]]:
    after = 0
    rollups = Rollup.objects.filter(
        content_type=content_type_of(Content),
        hour__gte=Interval.DAY.start(since),
        hour__lt=until,
    )
    viewed = Content.objects.filter(Exists(rollups.filter(target_id=OuterRef("pk"))))
    contents = viewed.order_by("pk").select_subclasses()
    while page := list(contents.filter(pk__gt=after)[:CONTENTS_PER_QUERY]):
        by_id = {content.pk: content for content in page}
        visitors = visitors_of(Content, by_id, *days_of(since, until))
        for target, point in _days(rollups.filter(target_id__in=list(by_id))):
            content = by_id[target]
            yield (
                content.pk,
                content._meta.model_name,
                harmless(content.title),
                f"{point.at:%Y-%m-%d}",
                point.views,
                point.people,
                point.robots,
                visitors[target].get(point.at.date(), 0),
            )
        after = page[-1].pk


def _days(rollups: QuerySet[Rollup]) -> Iterator[tuple[int, Point]]:
    days = rollups.annotate(day=TruncDay("hour", tzinfo=UTC)).order_by("target_id", "day")
    sums = days.values_list("target_id", "day").annotate(*map(Sum, COLUMNS))
    for target, day, *views in sums.iterator(ROWS_PER_READ):
        yield target, Point(day, *views)

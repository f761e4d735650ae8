"""Views over time, of one target or of a whole model. Hours and days are in UTC."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from django.db import models
from django.db.models import Sum
from django.db.models.functions import TruncDay

from footfall.models import COLUMNS, HourTotal, Rollup
from footfall.projections.visitors.distinct import visitors_of
from footfall.registry import content_type_of, countable_models, counter_field, key_of

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(hour: int) -> datetime:
    """Return an hour since 1970 as a time."""
    return datetime.fromtimestamp(hour * HOUR.total_seconds(), UTC)


def number(hour: datetime | str) -> int:
    """Return it as hours since 1970. SQL gives a text on SQLite, and no time zone on MySQL."""
    time = datetime.fromisoformat(hour) if isinstance(hour, str) else hour
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()) // 3_600


class Interval(Enum):
    """The length of one point of a series."""

    HOUR = "hour"
    DAY = "day"

    @property
    def step(self) -> timedelta:
        return HOUR if self is Interval.HOUR else DAY

    def start(self, at: datetime) -> datetime:
        at = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return at if self is Interval.HOUR else at.replace(hour=0)

    def starts(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the start of every hour or day that overlaps [since, until)."""
        at = self.start(since)
        while at < until:
            yield at
            at += self.step

    def latest(self, count: int, now: datetime) -> tuple[datetime, datetime]:
        """Return since and until of the last `count` hours or days, including the current one."""
        end = self.start(now) + self.step
        return end - count * self.step, end


class Point(NamedTuple):
    """The views of one hour or day, and which of them are of known kinds of agents."""

    at: datetime
    views: int
    person: int = 0
    robot: int = 0
    prefetch: int = 0
    monitor: int = 0
    library: int = 0
    visitors: int | None = None
    """Different people on a day; None for an hour, and where it was not asked for."""

    @property
    def people(self) -> int:
        return self.person

    @property
    def robots(self) -> int:
        """Return the views of every agent that is known to be no person."""
        return self.robot + self.prefetch + self.monitor + self.library

    @property
    def unknown(self) -> int:
        return self.views - self.people - self.robots


def days_of(since: datetime, until: datetime) -> tuple[date, date]:
    """Return the first day, UTC, that overlaps [since, until), and the one after the last."""
    last = Interval.DAY.start(until - timedelta(microseconds=1))
    return Interval.DAY.start(since).date(), (last + DAY).date()


def series(
    target: models.Model, interval: Interval, since: datetime, until: datetime
) -> list[Point]:
    """Return the views of `target` in every hour or day that overlaps [since, until), even if 0.
    Days have their visitors, too.

    Raises TypeError if its model is not countable.
    """
    model, key = counter_field(type(target)).model, key_of(target) or 0
    rollups = Rollup.objects.filter(content_type=content_type_of(model), target_id=key)
    points = _points(rollups, "target_id", [key], interval, since, until)[key]
    if interval is Interval.HOUR:
        return points
    days = visitors_of(model, [key], *days_of(since, until))[key]
    return [point._replace(visitors=days.get(point.at.date(), 0)) for point in points]


def series_by_model(
    interval: Interval, since: datetime, until: datetime
) -> Mapping[type[models.Model], list[Point]]:
    """Return the views of all targets of each countable model, as `series` does, with one query."""
    types = {content_type_of(model).pk: model for model in countable_models().values()}
    hours = HourTotal.objects.filter(content_type__in=types)
    found = _points(hours, "content_type", types, interval, since, until)
    return {types[pk]: points for pk, points in found.items()}


def series_of_many(
    model: type[models.Model], ids: list[int], interval: Interval, since: datetime, until: datetime
) -> dict[int, list[int]]:
    """Return the views of some targets of one model, by id and without times, with one query."""
    rollups = Rollup.objects.filter(content_type=content_type_of(model), target_id__in=ids)
    found = _points(rollups, "target_id", ids, interval, since, until)
    return {pk: [point.views for point in points] for pk, points in found.items()}


def _points(
    rows: models.QuerySet[Rollup] | models.QuerySet[HourTotal],
    key: str,
    keys: Iterable[int],
    interval: Interval,
    since: datetime,
    until: datetime,
) -> dict[int, list[Point]]:
    """Return the views in each hour or day, for each of `keys`. The database sums up days."""
    starts = list(interval.starts(since, until))
    index = {at: i for i, at in enumerate(starts)}
    found = {one: [Point(at, 0) for at in starts] for one in keys}
    rows = rows.filter(hour__gte=interval.start(since), hour__lt=until).order_by()
    if interval is Interval.HOUR:  # one row for each
        sums = rows.values_list(key, "hour", *COLUMNS)
    else:
        days = rows.annotate(at=TruncDay("hour", tzinfo=UTC)).values_list(key, "at")
        sums = days.annotate(*map(Sum, COLUMNS))
    for one, start, *views in sums:
        found[one][index[start]] = Point(start, *views)
    return found

"""What is viewed, as the dashboard shows it: sums, charts and rankings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from footfall.ops.charts import Chart, chart, sparkline
from footfall.projections.ranking import Ranked, Top, Window, top, trend
from footfall.projections.series import Interval, Point, series, totals
from footfall.registry import countable_models

HOURS, DAYS = 48, 30
SHOWN = 10
"""How many of the most viewed of each model in each window."""


@dataclass(frozen=True)
class Figure:
    """Views in a window, compared with the window before."""

    name: str
    views: int
    trend: float | None


@dataclass(frozen=True)
class Row:
    """One of the most viewed, as it is shown."""

    title: str
    address: str
    ranked: Ranked

    @property
    def line(self) -> str:
        return " ".join(sparkline(self.ranked.series)[:-1])

    @property
    def unfinished(self) -> str:
        """The part of the line up to the current hour or day, which is drawn lighter."""
        return " ".join(sparkline(self.ranked.series)[-2:])


@dataclass(frozen=True)
class Ranking:
    """The most viewed of one window."""

    name: str
    as_of: datetime | None
    rows: list[Row]


@dataclass(frozen=True)
class Viewed:
    """What is viewed of one countable model."""

    name: str
    figures: list[Figure]
    charts: list[Chart]
    rankings: list[Ranking]


Link = Callable[[models.Model], str]
"""Returns the address of an object's page in the admin; "" if the user may not see it."""


def viewed(link: Link) -> list[Viewed]:
    """Return it for every countable model, with two queries, and two more for each model."""
    now = timezone.now()
    hours = totals(Interval.HOUR, *Interval.HOUR.latest(2 * 168, now))
    days = totals(Interval.DAY, *Interval.DAY.latest(DAYS, now))
    return [
        Viewed(
            name=capfirst(str(model._meta.verbose_name_plural)),
            figures=[
                _figure(_("24 hours"), 24, hours[model], now),
                _figure(_("7 days"), 168, hours[model], now),
            ],
            charts=_charts(hours[model][-HOURS:], days[model]),
            rankings=_rankings(model, link),
        )
        for model in countable_models().values()
    ]


def charts_of(target: models.Model) -> list[Chart]:
    """Return the charts of one countable object."""
    now = timezone.now()
    return _charts(
        *(
            series(target, interval, *interval.latest(count, now))
            for interval, count in ((Interval.HOUR, HOURS), (Interval.DAY, DAYS))
        )
    )


def _charts(hours: Sequence[Point], days: Sequence[Point]) -> list[Chart]:
    return [
        chart(_("Views per hour, the last %d hours (UTC)") % HOURS, hours, Interval.HOUR),
        chart(_("Views per day, the last %d days (UTC)") % DAYS, days, Interval.DAY),
    ]


def _figure(name: str, hours: int, points: Sequence[Point], now: datetime) -> Figure:
    views = sum(point.views for point in points[-hours:])
    before = sum(point.views for point in points[-2 * hours : -hours])
    return Figure(name, views, trend(views, before, hours, now))


def _rankings(model: type[models.Model], link: Link) -> list[Ranking]:
    tops = top(model)
    # More than are shown: some may have been deleted since.
    ids = {one.id for found in tops.values() for one in found.ranked[: 2 * SHOWN]}
    targets = model._base_manager.in_bulk(ids)
    names = {
        Window.DAY: _("24 hours"),
        Window.WEEK: _("7 days"),
        Window.ALL: _("All time"),
    }
    return [
        Ranking(names[window], found.as_of, _rows(found, targets, link))
        for window, found in tops.items()
    ]


def _rows(found: Top, targets: dict[int, models.Model], link: Link) -> list[Row]:
    rows = [
        Row(str(targets[one.id]), link(targets[one.id]), one)
        for one in found.ranked
        if one.id in targets
    ]
    return rows[:SHOWN]

"""What is viewed, as the dashboard shows it: sums, charts and rankings."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from footfall.ops.charts import Chart, chart, sparkline
from footfall.projections.ranking import Ranked, Window, top, trend
from footfall.projections.series import Interval, Point, series, series_by_model
from footfall.registry import countable_models

HOURS, DAYS = 48, 30
SHOWN = 10
"""Number of the most viewed of each model in each window."""


Link = Callable[[models.Model], str]
"""Returns the address of an object's page in the admin; "" if the user may not see it."""


def viewed(link: Link) -> list[dict[str, Any]]:
    """Return what is viewed of each countable model, as `counters/views.html` shows it.

    Takes two queries, and two more for each model.
    """
    now = timezone.now()
    hours = series_by_model(Interval.HOUR, *Interval.HOUR.latest(2 * 168, now))
    days = series_by_model(Interval.DAY, *Interval.DAY.latest(DAYS, now))
    return [
        {
            "name": capfirst(str(model._meta.verbose_name_plural)),
            "figures": [
                _figure(_("24 hours"), 24, hours[model], now),
                _figure(_("7 days"), 168, hours[model], now),
            ],
            "charts": _charts(hours[model][-HOURS:], days[model]),
            "rankings": _rankings(model, link),
        }
        for model in countable_models().values()
    ]


def charts_of(target: models.Model) -> list[Chart]:
    now = timezone.now()
    hours = series(target, Interval.HOUR, *Interval.HOUR.latest(HOURS, now))
    days = series(target, Interval.DAY, *Interval.DAY.latest(DAYS, now))
    return _charts(hours, days)


def _charts(hours: Sequence[Point], days: Sequence[Point]) -> list[Chart]:
    return [
        chart(_("Views per hour, the last %d hours (UTC)") % HOURS, hours, Interval.HOUR),
        chart(_("Views per day, the last %d days (UTC)") % DAYS, days, Interval.DAY),
    ]


def _figure(name: str, hours: int, points: Sequence[Point], now: datetime) -> dict[str, Any]:
    """Return the views of the last hours, compared with those of as many hours before."""
    views = sum(point.views for point in points[-hours:])
    before = sum(point.views for point in points[-2 * hours : -hours])
    return {"name": name, "views": views, "trend": trend(views, before, hours, now)}


def _rankings(model: type[models.Model], link: Link) -> list[dict[str, Any]]:
    tops = top(model)
    # More than are shown: some may have been deleted since.
    ids = {one.id for found in tops.values() for one in found.ranked[: 2 * SHOWN]}
    targets = model._base_manager.in_bulk(ids)
    names = {Window.DAY: _("24 hours"), Window.WEEK: _("7 days"), Window.ALL: _("All time")}
    rankings = []
    for window, found in tops.items():
        rows = (_row(targets[one.id], one, link) for one in found.ranked if one.id in targets)
        ranking = {"name": names[window], "as_of": found.as_of, "rows": list(islice(rows, SHOWN))}
        rankings.append(ranking)
    return rankings


def _row(target: models.Model, ranked: Ranked, link: Link) -> dict[str, Any]:
    corners = sparkline(ranked.series)
    return {
        "title": str(target),
        "address": link(target),
        "ranked": ranked,
        "line": " ".join(corners[:-1]),
        # The part up to the current hour or day, which is drawn lighter.
        "unfinished": " ".join(corners[-2:]),
    }

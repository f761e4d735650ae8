"""What is viewed, as the dashboard shows it: sums, a chart and a ranking."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db import models
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from footfall.models import COLUMNS, Rollup
from footfall.ops.figures.charts import Chart, chart, sparkline, weeks
from footfall.ops.figures.ranges import LENGTHS, OWN, Range, chosen
from footfall.projections.kept.rows import find, instances
from footfall.projections.ranking import Ranked, Window, top
from footfall.projections.series import DAY, Interval, Point, days_of, series, series_by_model
from footfall.projections.visitors.daily import ALL
from footfall.projections.visitors.distinct import visitors_in, visitors_of_all
from footfall.registry import (
    content_type_of,
    countable_models,
    has_own_key,
    id_in,
    key_attribute,
    key_of,
    owner_of,
)

HOURS, DAYS = 48, 30
"""Shown on the page of an object."""
SHOWN = 20
"""Rows of the ranking."""
MAX_PARTS = 500
"""Contents of a page of which the views are compared."""
BY = ("views", "people", "visitors")
WINDOWS = {"24h": Window.DAY, "7d": Window.WEEK}
"""The window of the ranking for a range, unless one is chosen."""

Parts = Callable[[type[models.Model]], Sequence[str]]
"""Returns where the parts of an object are: lookups to countable models."""


@dataclass(frozen=True)
class Asked:
    """What an address of the dashboard asks for."""

    range: Range
    model: type[models.Model]
    target: models.Model | None
    window: Window
    by: str
    error: str = ""

    def query(self, **changes: str | None) -> str:
        """Return the query of an address that shows this, but for some changes."""
        given: dict[str, str | None] = {
            **self.range.query,
            "model": self.model._meta.label_lower,
            "id": str(self.target.pk) if self.target else None,
            "window": self.window.value,
            "by": self.by,
        }
        if "range" in changes:
            given |= {"from": None, "to": None}
        return "?" + urlencode({key: one for key, one in (given | changes).items() if one})


class Choice(NamedTuple):
    """One of several things to show."""

    name: str
    query: str
    is_chosen: bool


def asked(query: Mapping[str, str], now: datetime | None = None) -> Asked:
    """Return what a query asks for. What is wrong with it is its `error`; the rest holds."""
    shown = chosen(query, now or timezone.now())
    error, target = shown.error, None
    counted = countable_models()
    label = query.get("model", "").lower()
    if label and label not in counted:
        names = ", ".join(counted)
        error = _("There is no such model; these are: %(names)s.") % {"names": names}
    model = counted.get(label) or next(iter(counted.values()))
    if label in counted and (pk := query.get("id")):
        target = find(model, pk)
        error = error if target else _("It was deleted, or there never was one.")
    windows = {window.value: window for window in Window}
    window = windows.get(query.get("window", ""), WINDOWS.get(shown.name, Window.ALL))
    by = query.get("by", "")
    return Asked(shown, model, target, window, by if by in BY else BY[0], error)


def viewed(what: Asked, parts: Parts) -> dict[str, Any]:
    """Return what is viewed, as `counters/views.html` shows it. The number of queries is fixed."""
    now = timezone.now()
    shown, model = what.range, what.model
    everything = series_by_model(shown.interval, shown.before, shown.until)
    if what.target is None:
        points = _with_visitors(model, shown, everything[model])
    else:
        points = series(what.target, shown.interval, shown.before, shown.until)
    before, points = _halves(points)
    return {
        "asked": what,
        "name": name_of(model),
        "ranges": _ranges(what),
        "models": [_model(what, one, everything[one], now) for one in everything],
        "figures": _figures(what, before, points, now),
        "chart": _chart(shown, before, points, now),
        "period": _period(shown),
        "ranking": None if what.target else _ranking(what),
        "parts": [_parts(what, what.target, path) for path in parts(model)] if what.target else [],
        "model_query": what.query(id=None),
    }


def name_of(model: type[models.Model]) -> str:
    return capfirst(str(model._meta.verbose_name_plural))


def _with_visitors(
    model: type[models.Model], shown: Range, points: Sequence[Point]
) -> Sequence[Point]:
    if shown.interval is Interval.HOUR:
        return points
    days = visitors_of_all(model, *days_of(shown.before, shown.until))
    return [point._replace(visitors=days.get(point.at.date(), 0)) for point in points]


def _halves(points: Sequence[Point]) -> tuple[Sequence[Point], Sequence[Point]]:
    """Return the points of the period before, and those of the range."""
    half = len(points) // 2
    return points[:half], points[half:]


def _ranges(what: Asked) -> list[Choice]:
    names = {
        "24h": _("24 hours"),
        "7d": _("7 days"),
        "30d": _("30 days"),
        "12m": _("12 months"),
    }
    return [
        Choice(names[one], what.query(range=one, window=None), one == what.range.name)
        for one in LENGTHS
    ]


def _model(
    what: Asked, model: type[models.Model], points: Sequence[Point], now: datetime
) -> dict[str, Any]:
    before, points = _halves(points)
    views, earlier = (sum(point.views for point in half) for half in (points, before))
    return {
        "name": name_of(model),
        "query": what.query(model=model._meta.label_lower, id=None),
        "is_chosen": model is what.model,
        "views": views,
        "trend": what.range.change(views, earlier, now),
    }


def _figures(
    what: Asked, before: Sequence[Point], points: Sequence[Point], now: datetime
) -> list[dict[str, Any]]:
    names = {
        "views": _("Views"),
        "people": _("By people"),
        "robots": _("By robots"),
        "unknown": _("Not known by whom"),
    }
    views = sum(point.views for point in points)
    found = []
    for key, name in names.items():
        here, earlier = (sum(getattr(one, key) for one in half) for half in (points, before))
        found.append(
            {
                "key": key,
                "name": name,
                "value": here,
                "share": here / views if views and key != "views" else None,
                "before": earlier,
                "trend": what.range.change(here, earlier, now),
            }
        )
    return [*found, _visitors(what, now)]


def _visitors(what: Asked, now: datetime) -> dict[str, Any]:
    """Return the different people on the days that begin in the range."""
    shown = what.range
    first, after = _days_begun(shown)
    ids = [(key_of(what.target) if what.target else None) or ALL]
    is_today = first + DAY == after and shown.name != OWN
    here = visitors_in(what.model, ids, first, after)[ids[0]]
    before = visitors_in(what.model, ids, first - (after - first), first)[ids[0]]
    return {
        "key": "visitors",
        "name": _("Visitors today (UTC)") if is_today else _("Visitors"),
        "value": here,
        "before": before,
        # A day that has just begun is not compared.
        "trend": None if is_today else shown.change(here, before, now),
    }


def _days_begun(shown: Range) -> tuple[Any, Any]:
    """Return the first day that begins in the range, and the day after the last one."""
    first = shown.since.date()
    is_midnight = shown.since == datetime.combine(first, time(), UTC)
    return first if is_midnight else first + DAY, shown.last_day + DAY


def _period(shown: Range) -> str:
    first, last = (f"{day:%Y-%m-%d}" for day in (shown.since, shown.last_day))
    return first if first == last else f"{first} – {last}"  # noqa: RUF001  # a dash between two days


def _chart(shown: Range, before: Sequence[Point], points: Sequence[Point], now: datetime) -> Chart:
    earlier = [point.views for point in before]
    if shown.interval is Interval.HOUR:
        title = _("Views per hour (UTC)")
    elif shown.is_weekly:
        title = _("Views per week (UTC)")
        points, earlier = weeks(points, earlier)
    else:
        title = _("Views per day (UTC)")
    return chart(title, points, shown.interval, before=earlier, weekly=shown.is_weekly, now=now)


def _ranking(what: Asked) -> dict[str, Any]:
    found = top(what.model)[what.window]
    ranked = _sorted(found.ranked, what.by)
    names = {Window.DAY: _("24 hours"), Window.WEEK: _("7 days"), Window.ALL: _("All time")}
    return {
        "name": name_of(what.model),
        "as_of": found.as_of,
        "windows": [
            Choice(names[one], what.query(window=one.value), one is what.window) for one in Window
        ],
        "by": _by(what),
        "has_change": what.window is not Window.ALL,
        # More than are shown: some may have been deleted since.
        "rows": _rows(what, what.model, ranked[: 2 * SHOWN])[:SHOWN],
    }


def _by(what: Asked) -> list[Choice]:
    names = {"views": _("Views"), "people": _("People"), "visitors": _("Visitors")}
    return [Choice(names[one], what.query(by=one), one == what.by) for one in BY]


def _sorted(ranked: Sequence[Ranked], by: str) -> list[Ranked]:
    """Return them by views, people or visitors; those of which it is not known come last."""
    return sorted(ranked, key=lambda one: -1 if getattr(one, by) is None else getattr(one, by),
                  reverse=True)  # fmt: skip


def _rows(what: Asked, model: type[models.Model], ranked: Sequence[Ranked]) -> list[dict[str, Any]]:
    targets = instances(model, [one.id for one in ranked])
    label = model._meta.label_lower
    return [
        _row(targets[one.id], one, what.query(model=label, id=str(targets[one.id].pk)))
        for one in ranked
        if one.id in targets
    ]


def _row(target: models.Model, ranked: Ranked, query: str) -> dict[str, Any]:
    corners = sparkline(ranked.series)
    return {
        "title": str(target),
        "query": query,
        "ranked": ranked,
        "line": " ".join(corners[:-1]),
        # The part up to the current hour or day, which is drawn lighter.
        "unfinished": " ".join(corners[-2:]),
    }


def _parts(what: Asked, target: models.Model, path: str) -> dict[str, Any]:
    """Return the views, in the range, of what is viewed with the target: a page's contents."""
    model = model_at(what.model, path)
    here = owner_of(what.model)._base_manager.filter(pk=target.pk).exclude(**{path: None})
    place = f"{path}__{key_attribute(model)}" if has_own_key(model) else path
    keys = here.order_by(place).values_list(place, flat=True).distinct()[:MAX_PARTS]
    ids = [id_in(model, key) for key in keys]
    ranked = _sorted(_ranked(what.range, model, ids), what.by)
    return {
        "name": name_of(model),
        "by": _by(what),
        "rows": _rows(what, model, ranked[:SHOWN]),
        "left": max(0, len(ids) - SHOWN),
    }


def _ranked(shown: Range, model: type[models.Model], ids: Collection[int]) -> list[Ranked]:
    rollups = Rollup.objects.filter(
        content_type=content_type_of(model),
        target_id__in=ids,
        hour__gte=shown.before,
        hour__lt=shown.until,
    )
    now = Q(hour__gte=shown.since)
    sums = {f"{column}_now": Sum(column, filter=now, default=0) for column in COLUMNS}
    sums["earlier"] = Sum("views", filter=~now, default=0)
    rows = rollups.order_by().values_list("target_id").annotate(**sums)
    found = {pk: (earlier, Point(shown.since, *views)) for pk, *views, earlier in rows}
    visitors = visitors_in(model, ids, *_days_begun(shown))
    at = timezone.now()
    ranked = []
    for pk in ids:
        before, point = found.get(pk, (0, Point(shown.since, 0)))
        trend = shown.change(point.views, before, at)
        kinds = (point.people, point.robots, visitors[pk])
        ranked.append(Ranked(pk, point.views, before, [], trend, *kinds))
    return ranked


def model_at(model: type[models.Model], path: str) -> type[models.Model]:
    """Return the model to which a lookup leads: "placements__content"."""
    model = owner_of(model)
    for name in path.split("__"):
        related: Any = model._meta.get_field(name).related_model
        model = related
    return model


def charts_of(target: models.Model) -> list[Chart]:
    """Return the charts on the page of an object."""
    now = timezone.now()
    hours = series(target, Interval.HOUR, *Interval.HOUR.latest(HOURS, now))
    days = series(target, Interval.DAY, *Interval.DAY.latest(DAYS, now))
    return [
        chart(_("Views per hour, the last %d hours (UTC)") % HOURS, hours, Interval.HOUR),
        chart(_("Views per day, the last %d days (UTC)") % DAYS, days, Interval.DAY),
    ]

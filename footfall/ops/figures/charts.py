"""Pure: from views over time to the geometry of a chart, which a template draws as SVG.

Lengths are in percent of the box, so that patterns and lines are not stretched with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from footfall.common.wording import number
from footfall.models import COLUMNS
from footfall.projections.series import Interval, Point

LABELS, WEEKLY_LABELS = 8, 6
STEPS = (10, 12, 16, 20, 30, 40, 50, 60, 80, 100)
LEAST = 1.2
"""Percent that a single view beside a million has."""
GAP = 0.16
"""The part of a slot that is left free, on both sides together."""
SPARK_WIDTH, SPARK_HEIGHT = 100.0, 24.0
LAST_LABEL = 92.0
"""Percent from which on a label would be cut off."""


@dataclass(frozen=True)
class Part:
    """Views of one hour, day or week by people, by robots or by who is not known."""

    who: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One hour, day or week."""

    slot: float
    """Where it begins, with the gap."""
    x: float
    width: float
    parts: list[Part]
    text: str
    """The tooltip."""
    unfinished: bool
    """Whether it is the current hour, day or week."""
    before: float | None
    """Where the views of the period before are."""

    @property
    def end(self) -> float:
        return round(self.x + self.width, 3)


@dataclass(frozen=True)
class Row:
    """One hour, day or week in the table that says the same."""

    name: str
    point: Point
    before: int | None


@dataclass(frozen=True)
class Chart:
    """Views over time."""

    title: str
    bars: list[Bar]
    slot: float
    """How wide an hour, day or week is."""
    lines: list[tuple[float, float, float, float]]
    """Of visitors: x1, y1, x2, y2."""
    dots: list[tuple[float, float]]
    most: str
    """Views at the top, formatted."""
    half: str
    total: str
    summary: str
    """The chart in a sentence, for screen readers."""
    labels: list[tuple[float, str]]
    """Times below it, and where they begin."""
    rows: list[Row]
    is_empty: bool

    @property
    def has_visitors(self) -> bool:
        return bool(self.dots)

    @property
    def has_before(self) -> bool:
        return any(row.before is not None for row in self.rows)


def chart(
    title: str,
    points: Sequence[Point],
    interval: Interval,
    *,
    before: Sequence[int] = (),
    weekly: bool = False,
    now: datetime | None = None,
) -> Chart:
    """Return the chart of these points.

    before: views of as many points of the period before. weekly: points are weeks. now: tells
    whether the last point is unfinished; None: it is.
    """
    most = max([max(point.views, point.visitors or 0) for point in points] + [*before], default=0)
    top, slot = nice(most), 100 / max(1, len(points))
    total = sum(point.views for point in points)
    highest = max(points, key=lambda point: point.views, default=None)
    names = [_name(point.at, interval, weekly) for point in points]
    earlier: list[int | None] = [*before] or [None] * len(points)
    rows = [Row(*row) for row in zip(names, points, earlier, strict=True)]
    step = timedelta(days=7) if weekly else interval.step
    last = len(points) - 1
    is_open = bool(points) and (now is None or points[-1].at + step > now)
    dots = [
        (round((i + 0.5) * slot, 2), _y(point.visitors, top))
        for i, point in enumerate(points)
        if point.visitors is not None
    ]
    return Chart(
        title=title,
        bars=[_bar(i, row, top, slot, i == last and is_open) for i, row in enumerate(rows)],
        slot=round(slot, 3),
        lines=[(*one, *following) for one, following in pairwise(dots)],
        dots=dots,
        most=number(top),
        half=number(top / 2),
        total=number(total),
        summary=_("%(title)s: %(total)s views, at most %(most)s at a time%(when)s.")
        % {
            "title": title,
            "total": number(total),
            "most": number(highest.views if highest else 0),
            "when": f" ({names[points.index(highest)]})" if highest and total else "",
        },
        labels=_labels(points, interval, slot, weekly),
        rows=rows,
        is_empty=not total,
    )


def nice(most: float) -> int:
    """Return a round number that is at least `most`, and even from 2 on: it is halved."""
    if most <= 2:
        return 2
    power: int = 10 ** math.floor(math.log10(most))
    found = next(top for step in STEPS if (top := math.ceil(step * power / 10)) >= most)
    return found + found % 2


def weeks(points: Sequence[Point], before: Sequence[int]) -> tuple[list[Point], list[int]]:
    """Add days up to weeks, which begin on Mondays; the first and the last one may be shorter.

    before: views of as many days of the period before, in the same groups. Visitors of a week are
    the sum of its days.
    """
    pairs = zip(points, before, strict=True)
    found, earlier = [], []
    # Day 1 was a Monday.
    for _week, days in groupby(pairs, lambda pair: (pair[0].at.toordinal() - 1) // 7):
        of_week, of_before = zip(*days, strict=True)
        found.append(_sum(of_week))
        earlier.append(sum(of_before))
    return found, earlier


def _sum(points: Sequence[Point]) -> Point:
    visitors = [point.visitors for point in points if point.visitors is not None]
    sums = {column: sum(getattr(point, column) for point in points) for column in COLUMNS}
    return Point(points[0].at, **sums, visitors=sum(visitors) if visitors else None)


def _y(views: float, top: float) -> float:
    return round(100 - 100 * views / top, 2)


def _bar(i: int, row: Row, top: int, slot: float, unfinished: bool) -> Bar:
    point = row.point
    parts, y = [], 100.0
    for who in ("people", "unknown", "robots"):
        if views := getattr(point, who):
            height = max(100 * views / top, LEAST)
            y = max(0.0, y - height)
            parts.append(Part(who, round(y, 2), round(height, 2)))
    return Bar(
        slot=round(i * slot, 3),
        x=round((i + GAP / 2) * slot, 3),
        width=round((1 - GAP) * slot, 3),
        parts=parts,
        text=_text(row, unfinished),
        unfinished=unfinished,
        before=None if row.before is None else _y(row.before, top),
    )


def _text(row: Row, unfinished: bool) -> str:
    point = row.point
    facts = [f"{row.name}: {number(point.views)}"]
    if point.people or point.robots:
        facts.append(f"{_('people')} {number(point.people)}")
        facts.append(f"{_('robots')} {number(point.robots)}")
        facts.append(f"{_('not known')} {number(point.unknown)}")
    if point.visitors is not None:
        facts.append(f"{_('visitors')} {number(point.visitors)}")
    if row.before is not None:
        facts.append(f"{_('period before')} {number(row.before)}")
    if unfinished:
        facts.append(_("not over yet"))
    return " · ".join(facts)


def _name(at: datetime, interval: Interval, weekly: bool) -> str:
    day = date_format(at, "j M Y" if weekly else "j M")
    if weekly:
        return _("week from %(day)s") % {"day": day}
    return f"{day}, {at:%H:%M} UTC" if interval is Interval.HOUR else day


def _labels(
    points: Sequence[Point], interval: Interval, slot: float, weekly: bool
) -> list[tuple[float, str]]:
    step = max(1, math.ceil(len(points) / (WEEKLY_LABELS if weekly else LABELS)))
    is_hourly = interval is Interval.HOUR
    # Of hours, those that the step divides: midnight is one, and has its date.
    start = -points[0].at.hour % step if points and is_hourly else 0
    found = []
    for i in range(start, len(points), step):
        at = points[i].at
        if is_hourly:
            text = f"{at:%H:%M}" if at.hour else date_format(at, "j M")
        else:
            text = date_format(at, "M Y" if weekly else "j M")
        found.append((round(i * slot, 2), text))
    return [one for one in found if one[0] <= LAST_LABEL]


def sparkline(series: Sequence[int]) -> list[str]:
    """Return the points ("x,y") of a line in a box of SPARK_WIDTH by SPARK_HEIGHT.

    Empty if there are no views, or fewer than two numbers.
    """
    most = max(series, default=0)
    if len(series) < 2 or not most:
        return []
    step = SPARK_WIDTH / (len(series) - 1)
    inner = SPARK_HEIGHT - 4  # room for half the width of the line, above and below
    points = ((i * step, SPARK_HEIGHT - 2 - inner * n / most) for i, n in enumerate(series))
    return [f"{x:.1f},{y:.1f}" for x, y in points]

"""Pure: from views over time to the geometry of a chart, which a template draws as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from footfall.common.wording import number
from footfall.projections.series import Interval, Point

HEIGHT = 100.0
SLOT = 10.0
"""A chart is SLOT units wide for each point and HEIGHT units high; SVG stretches it."""
LABELS = 6  # divides the 48 hours and the 30 days that are shown
SPARK_WIDTH, SPARK_HEIGHT = 100.0, 24.0


@dataclass(frozen=True)
class Bar:
    """One hour or day. Lengths are in units of the box."""

    x: float
    y: float
    width: float
    height: float
    text: str
    """The tooltip."""
    unfinished: bool
    """Whether it is the current hour or day."""


@dataclass(frozen=True)
class Chart:
    """Views over time."""

    title: str
    bars: list[Bar]
    width: float
    most: str
    """Views of the highest bar, formatted."""
    total: str
    summary: str
    """The chart in a sentence, for screen readers."""
    labels: list[str]
    """Times, evenly spread below it."""
    is_empty: bool


def chart(title: str, points: Sequence[Point], interval: Interval) -> Chart:
    """Return the chart of these points; the last one is the current hour or day."""
    most = max((point.views for point in points), default=0)
    total = sum(point.views for point in points)
    return Chart(
        title=title,
        bars=[
            _bar(i, point, most, interval, unfinished=i == len(points) - 1)
            for i, point in enumerate(points)
        ],
        width=max(1, len(points)) * SLOT,
        most=number(most),
        total=number(total),
        summary=_("%(title)s: %(total)s views, at most %(most)s at a time.")
        % {"title": title, "total": number(total), "most": number(most)},
        labels=[_label(one.at, interval) for one in points[:: max(1, len(points) // LABELS)]],
        is_empty=not total,
    )


def _bar(i: int, point: Point, most: int, interval: Interval, *, unfinished: bool) -> Bar:
    height = HEIGHT * point.views / most if most else 0.0
    height = round(max(height, 1.5) if point.views else 0.0, 1)
    return Bar(
        x=i * SLOT + 1,
        y=round(HEIGHT - height, 1),
        width=SLOT - 2,
        height=height,
        text=f"{_label(point.at, interval, full=True)}: {number(point.views)}",
        unfinished=unfinished,
    )


def _label(at: datetime, interval: Interval, full: bool = False) -> str:
    day = date_format(at, "j M")
    if interval is Interval.DAY:
        return day
    hour = f"{at:%H:%M}"
    return f"{day}, {hour} UTC" if full else hour


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

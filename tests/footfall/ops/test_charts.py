"""From views over time to geometry and words. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from footfall.common.wording import duration, number, percent
from footfall.ops.charts import chart, sparkline
from footfall.projections.series import Interval, Point

START = datetime(2025, 11, 21, 22, tzinfo=UTC)


def points(*views: int, interval: Interval = Interval.HOUR) -> list[Point]:
    return [Point(START + i * interval.step, count) for i, count in enumerate(views)]


def test_the_highest_bar_fills_the_chart() -> None:
    found = chart("Views", points(1000, 0, 500), Interval.HOUR)

    assert [(bar.y, bar.height) for bar in found.bars] == [(0, 100), (100, 0), (50, 50)]
    assert (found.most, found.total) == ("1,000", "1,500")
    assert found.summary == "Views: 1,500 views, at most 1,000 at a time."


def test_bars_say_when_and_how_many() -> None:
    hour = chart("", points(7, 8, 1234), Interval.HOUR)
    day = chart("", points(7, interval=Interval.DAY), Interval.DAY)

    assert hour.bars[2].text == "22 Nov, 00:00 UTC: 1,234"
    assert day.bars[0].text == "21 Nov: 7"


def test_a_single_view_beside_a_million_is_still_seen() -> None:
    assert chart("", points(1, 10**6), Interval.HOUR).bars[0].height == 1.5


def test_only_the_present_hour_is_unfinished() -> None:
    bars = chart("", points(1, 2, 3), Interval.HOUR).bars

    assert [bar.unfinished for bar in bars] == [False, False, True]


@pytest.mark.parametrize(("count", "labels"), [(48, 6), (30, 6), (1, 1)])
def test_labels_are_spread_evenly(count: int, labels: int) -> None:
    assert len(chart("", points(*[1] * count), Interval.HOUR).labels) == labels


@pytest.mark.parametrize("views", [(), (0, 0, 0)])
def test_nothing_makes_an_empty_chart(views: tuple[int, ...]) -> None:
    found = chart("", points(*views), Interval.HOUR)

    assert found.is_empty
    assert not any(bar.height for bar in found.bars)


def test_a_sparkline_stays_in_its_box() -> None:
    corners = [tuple(map(float, corner.split(","))) for corner in sparkline([0, 10, 5])]

    assert corners == [(0, 22), (50, 2), (100, 12)]
    assert sparkline([]) == sparkline([5]) == sparkline([0, 0]) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (86_400 * 3, "3 d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers() -> None:
    assert [number(n) for n in (0, 0.27, 12.34, 1234567)] == ["0", "0.3", "12", "1,234,567"]


def test_percents() -> None:
    assert [percent(change) for change in (0.0, 0.255, -1.0, 9.0)] == [
        "+0 %", "+26 %", "-100 %", "+900 %",
    ]  # fmt: skip
    assert percent(timedelta(days=1234) / timedelta(days=1)) == "\u00d71,235"

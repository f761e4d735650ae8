"""From views over time to geometry and words. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from footfall.common.wording import direction, duration, number, percent, share
from footfall.ops.figures.charts import LEAST, Chart, chart, nice, sparkline, weeks
from footfall.projections.series import Interval, Point

START = datetime(2025, 11, 21, 22, tzinfo=UTC)


def points(*views: int, interval: Interval = Interval.HOUR) -> list[Point]:
    return [Point(START + i * interval.step, count) for i, count in enumerate(views)]


def heights(found: Chart) -> list[float]:
    return [sum(part.height for part in bar.parts) for bar in found.bars]


def test_the_scale_ends_with_a_round_number() -> None:
    found = chart("Views", points(800, 0, 500), Interval.HOUR)

    assert heights(found) == [100, 0, 62.5]
    assert (found.most, found.half, found.total) == ("800", "400", "1,300")
    assert [nice(most) for most in (0, 1, 3, 7, 99, 101, 1_100, 1_500)] == [
        2, 2, 4, 8, 100, 120, 1_200, 1_600,
    ]  # fmt: skip


def test_a_sentence_says_what_is_drawn() -> None:
    found = chart("Views", points(800, 0, 500), Interval.HOUR)

    assert found.summary == "Views: 1,300 views, at most 800 at a time (21 Nov, 22:00 UTC)."


def test_people_robots_and_others_are_stacked() -> None:
    point = Point(START, 100, person=50, robot=20, library=10)

    [bar] = chart("", [point], Interval.HOUR).bars

    assert [(part.who, part.y, part.height) for part in bar.parts] == [
        ("people", 50, 50), ("unknown", 30, 20), ("robots", 0, 30),
    ]  # fmt: skip
    assert "people 50 · robots 30 · not known 20" in bar.text


def test_bars_say_when_and_how_many() -> None:
    hour = chart("", points(7, 8, 1234), Interval.HOUR)
    day = chart("", points(7, interval=Interval.DAY), Interval.DAY)

    assert hour.bars[2].text == "22 Nov, 00:00 UTC: 1,234 · not over yet"
    assert day.bars[0].text == "21 Nov: 7 · not over yet"


def test_the_period_before_is_a_mark_and_a_column() -> None:
    found = chart("", points(10, 5), Interval.HOUR, before=[5, 20])

    assert [bar.before for bar in found.bars] == [75, 0]
    assert [row.before for row in found.rows] == [5, 20]
    assert heights(found) == [50, 25], "the scale has room for it"


def test_visitors_are_a_line() -> None:
    days = [Point(START, 10, visitors=5), Point(START, 10, visitors=0)]

    found = chart("", days, Interval.DAY)

    assert found.dots == [(25, 50), (75, 100)]
    assert found.lines == [(25, 50, 75, 100)]
    assert not chart("", points(1, 2), Interval.HOUR).has_visitors


def test_a_single_view_beside_a_million_is_still_seen() -> None:
    assert heights(chart("", points(1, 10**6), Interval.HOUR))[0] == LEAST


def test_only_the_present_hour_is_unfinished() -> None:
    hours = points(1, 2, 3)

    assert [bar.unfinished for bar in chart("", hours, Interval.HOUR).bars] == [False, False, True]
    later = hours[-1].at + timedelta(hours=1)
    ended = chart("", hours, Interval.HOUR, now=later)
    assert not any(bar.unfinished for bar in ended.bars)


@pytest.mark.parametrize(("count", "labels"), [(48, 8), (30, 7), (7, 7), (1, 1)])
def test_labels_are_spread_evenly(count: int, labels: int) -> None:
    found = chart("", points(*[1] * count, interval=Interval.DAY), Interval.DAY).labels

    assert len(found) == labels


def test_midnight_has_its_date() -> None:
    texts = [text for _x, text in chart("", points(*[1] * 24), Interval.HOUR).labels]

    assert texts == ["22 Nov", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00"]


@pytest.mark.parametrize("views", [(), (0, 0, 0)])
def test_nothing_makes_an_empty_chart(views: tuple[int, ...]) -> None:
    found = chart("", points(*views), Interval.HOUR)

    assert found.is_empty
    assert not any(heights(found))


def test_weeks_begin_on_mondays_and_lose_nothing() -> None:
    days = [  # 21 November 2025 was a Friday
        Point(START + i * timedelta(days=1), 10 + i, person=i, visitors=1) for i in range(11)
    ]

    found, before = weeks(days, range(11))

    assert [f"{week.at:%a %d}" for week in found] == ["Fri 21", "Mon 24", "Mon 01"]
    assert [week.views for week in found] == [33, 112, 20]
    assert [week.person for week in found] == before == [3, 42, 10]
    assert [week.visitors for week in found] == [3, 7, 1]


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


def test_shares_and_directions() -> None:
    assert [share(part) for part in (0, 0.004, 0.256, 1)] == ["0 %", "< 1 %", "26 %", "100 %"]
    assert [direction(one) for one in (0.1, 0.004, -0.004, -0.1)] == ["up", "same", "same", "down"]


def test_percents() -> None:
    assert [percent(change) for change in (0.0, 0.255, -1.0, 9.0)] == [
        "+0 %", "+26 %", "-100 %", "+900 %",
    ]  # fmt: skip
    assert percent(timedelta(days=1234) / timedelta(days=1)) == "\u00d71,235"

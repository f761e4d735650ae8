"""The range that an address asks for. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from footfall.ops.figures.ranges import MAX_DAYS, Range, chosen
from footfall.projections.series import Interval

NOW = datetime(2025, 11, 21, 22, 30, tzinfo=UTC)


def days(found: Range) -> tuple[str, str]:
    return f"{found.since:%Y-%m-%d %H}", f"{found.until:%Y-%m-%d %H}"


@pytest.mark.parametrize(
    ("name", "since", "until", "interval", "weekly"),
    [
        ("24h", "2025-11-20 23", "2025-11-21 23", Interval.HOUR, False),
        ("7d", "2025-11-15 00", "2025-11-22 00", Interval.DAY, False),
        ("30d", "2025-10-23 00", "2025-11-22 00", Interval.DAY, False),
        ("12m", "2024-11-22 00", "2025-11-22 00", Interval.DAY, True),
    ],
)
def test_the_latest_hours_or_days(
    name: str, since: str, until: str, interval: Interval, weekly: bool
) -> None:
    found = chosen({"range": name}, NOW)

    assert days(found) == (since, until)
    assert (found.interval, found.is_weekly) == (interval, weekly)
    assert found.since - found.before == found.until - found.since
    assert not found.error
    assert chosen(found.query, NOW) == found


def test_without_a_range_it_is_the_last_day() -> None:
    assert chosen({}, NOW) == chosen({"range": "24h"}, NOW)


@pytest.mark.parametrize(
    ("first", "last", "expected", "interval"),
    [
        ("2025-11-01", "2025-11-01", ("2025-11-01 00", "2025-11-02 00"), Interval.HOUR),
        ("2025-10-01", "2025-11-01", ("2025-10-01 00", "2025-11-02 00"), Interval.DAY),
        ("2025-11-20", "", ("2025-11-20 00", "2025-11-22 00"), Interval.HOUR),
        ("", "2025-11-03", ("2025-11-03 00", "2025-11-04 00"), Interval.HOUR),
        ("2025-11-20", "2026-03-01", ("2025-11-20 00", "2025-11-22 00"), Interval.HOUR),
    ],
)
def test_one_of_its_own(
    first: str, last: str, expected: tuple[str, str], interval: Interval
) -> None:
    found = chosen({"from": first, "to": last, "range": "7d"}, NOW)

    assert days(found) == expected
    assert found.interval is interval
    assert not found.error
    assert chosen(found.query, NOW) == found


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"range": "3y"}, "There is no such range; these are: 24h, 7d, 30d, 12m."),
        ({"from": "yesterday"}, "Not a day like 2025-11-21: yesterday"),
        ({"from": "0001-01-01"}, "Not a day like 2025-11-21: 0001-01-01"),
        ({"to": "2025-02-30"}, "Not a day like 2025-11-21: 2025-02-30"),
        ({"from": "2025-11-03", "to": "2025-11-02"}, "The first day is after the last one."),
        ({"from": "2026-01-01", "to": "2026-01-02"}, "The first day is in the future."),
        ({"from": "2015-01-01"}, f"A range has at most {MAX_DAYS} days."),
    ],
)
def test_what_is_wrong_is_said_and_the_last_day_is_shown(query: dict[str, str], error: str) -> None:
    found = chosen(query, NOW)

    assert found.error == error
    assert days(found) == days(chosen({}, NOW))


def test_a_range_that_has_not_ended_is_compared_by_the_hour() -> None:
    day = chosen({"from": "2025-11-21", "to": "2025-11-21"}, NOW)
    half = NOW.replace(hour=12, minute=0)

    assert day.change(50, 100, half) == pytest.approx(0)
    assert day.change(50, 100, NOW + timedelta(days=2)) == pytest.approx(-0.5)
    assert day.change(50, 0, NOW) is None

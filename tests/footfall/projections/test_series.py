"""Views over time, of one target and of everything."""

import importlib
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries, Settings

from catalog.pages.models import Content, Page
from footfall.eventlog import RedisLog
from footfall.flush import flush
from footfall.models import HourTotal, Rollup
from footfall.projections.series import Interval, Point, series, series_by_model
from tests.support.views import AT, HOUR, store_views

figures = importlib.import_module("footfall.migrations.0004_figures")
MIDNIGHT = datetime.fromtimestamp(AT / 1000, UTC)

pytestmark = pytest.mark.django_db


def hours(first: int, last: int) -> tuple[datetime, datetime]:
    return MIDNIGHT + timedelta(hours=first), MIDNIGHT + timedelta(hours=last)


def test_hours_come_in_order_and_without_gaps(log: RedisLog, contents: list[Content]) -> None:
    first, second, _ = (content.pk for content in contents)
    store_views(log, (AT, [first, second]), (AT + 2 * HOUR, [first]), (AT + 2 * HOUR, [first]))
    flush()

    found = series(contents[0], Interval.HOUR, *hours(0, 4))

    assert [point.views for point in found] == [1, 0, 2, 0]
    assert found[2] == Point(MIDNIGHT + timedelta(hours=2), 2)


def test_a_part_of_an_hour_stands_for_the_whole(log: RedisLog, contents: list[Content]) -> None:
    store_views(log, (AT, [contents[0].pk]))
    flush()
    since, until = MIDNIGHT + timedelta(minutes=20), MIDNIGHT + timedelta(minutes=40)

    assert series(contents[0], Interval.HOUR, since, until) == [Point(MIDNIGHT, 1)]


def test_days_are_those_of_utc(log: RedisLog, contents: list[Content], settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Yekaterinburg"
    store_views(log, (AT - 1, [contents[0].pk]), *[(AT, [contents[0].pk])] * 2)
    flush()

    found = series(contents[0], Interval.DAY, *hours(-24, 24))

    yesterday = MIDNIGHT - timedelta(days=1)
    assert found == [Point(yesterday, 1, visitors=0), Point(MIDNIGHT, 2, visitors=0)]
    assert found[0].at.tzinfo is UTC


def test_a_type_of_content_is_counted_as_content(log: RedisLog, contents: list[Content]) -> None:
    store_views(log, (AT, [contents[0].pk]))
    flush()
    text = Content.objects.get_subclass(pk=contents[0].pk)

    assert series(text, Interval.HOUR, *hours(0, 1)) == [Point(MIDNIGHT, 1)]


def test_what_has_no_counter_has_no_history() -> None:
    with pytest.raises(TypeError, match="not countable"):
        series(HourTotal(), Interval.HOUR, *hours(0, 1))


def test_hour_totals_are_kept_too(
    log: RedisLog, contents: list[Content], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Also of what was viewed and does not exist: the projection asks no other table."""
    first, second, third = (content.pk for content in contents)
    store_views(log, (AT, [first, second]), (AT + HOUR, [first]))
    flush()
    store_views(log, (AT, [third, 2**40]))
    flush()

    with django_assert_num_queries(1):
        found = series_by_model(Interval.HOUR, *hours(0, 3))

    assert [point.views for point in found[Content]] == [4, 1, 0]
    assert [point.views for point in found[Page]] == [0, 0, 0]
    assert_totals_are_the_sums()


def test_views_of_what_was_deleted_later_stay_in_the_totals(
    log: RedisLog, contents: list[Content]
) -> None:
    store_views(log, (AT, [contents[0].pk]))
    flush()
    contents[0].delete()

    assert series_by_model(Interval.DAY, *hours(0, 1))[Content] == [Point(MIDNIGHT, 1)]


def test_hours_from_before_there_were_totals_are_added_up(
    log: RedisLog, contents: list[Content]
) -> None:
    first, second, _ = (content.pk for content in contents)
    store_views(log, (AT, [first, second]), (AT + HOUR, [first]))
    flush()
    HourTotal.objects.all().delete()

    figures.add_up(apps, None)

    assert_totals_are_the_sums()
    assert HourTotal.objects.count() == 2


def assert_totals_are_the_sums() -> None:
    rows = Rollup.objects.order_by().values_list("content_type", "hour").annotate(Sum("views"))
    kept = HourTotal.objects.values_list("content_type", "hour", "views")
    assert sorted(rows) == sorted(kept)

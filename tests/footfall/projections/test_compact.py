"""Hours are compacted into days: no view is lost, and the daily history stays as it was."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import Sum
from pytest_django import Settings

from catalog.pages.models import Content
from footfall import sql, tasks
from footfall.eventlog import RedisLog
from footfall.flush import flush, flush_all
from footfall.models import Base, DeadLetter, HourTotal, Identity, Rollup
from footfall.ops.audit.run import broken_totals, differences
from footfall.projections import compact as compacting
from footfall.projections.compact import DELETED, compact
from footfall.projections.series import Interval, Point, series, series_by_model
from footfall.registry import content_type_of
from footfall.sql.batch import Views
from tests.support.concurrency import locked, run_at_once
from tests.support.views import AT, HOUR, store_views

pytestmark = pytest.mark.django_db
DAY = 24 * HOUR
START = datetime.fromtimestamp(AT / 1000, UTC)
UNTIL = START + timedelta(days=3)


@pytest.fixture(autouse=True)
def old_after_31_days(settings: Settings) -> None:
    settings.COUNTERS_HOURLY_DAYS = 31


@pytest.fixture
def viewed(log: RedisLog, contents: list[Content]) -> list[Content]:
    """Three days with views in three hours each, the first hour of a day among them on two."""
    hours = [0, 5, 23, 24 + 1, 24 + 2, 24 + 23, 48, 48 + 7, 48 + 8]
    store_views(log, *[(AT + hour * HOUR, [one.pk for one in contents]) for hour in hours])
    flush()
    return contents


def hours_of(content: Content) -> list[tuple[int, int]]:
    """Return the hour, counted from the start, and the views of each rollup."""
    rows = Rollup.objects.filter(target_id=content.pk).order_by("hour")
    return [(int((row.hour - START).total_seconds()) // 3600, row.views) for row in rows]


def days_of(content: Content) -> list[Point]:
    return series(content, Interval.DAY, START, UNTIL)


def test_hours_of_a_day_become_one_row_and_the_days_stay(viewed: list[Content]) -> None:
    before = [days_of(one) for one in viewed]
    of_all = series_by_model(Interval.DAY, START, UNTIL)

    assert compact() == 3 * 7 + 7

    assert [hours_of(one) for one in viewed] == [[(0, 3), (24, 3), (48, 3)]] * 3
    assert [days_of(one) for one in viewed] == before
    assert series_by_model(Interval.DAY, START, UNTIL) == of_all
    assert not list(differences())
    assert not list(broken_totals())
    assert compact() == 0


def test_by_the_hour_a_compacted_day_stands_at_its_first_hour(viewed: list[Content]) -> None:
    compact()

    points = series(viewed[0], Interval.HOUR, START, UNTIL)
    assert {point.at: point.views for point in points if point.views} == {
        START + timedelta(days=day): 3 for day in range(3)
    }


def test_hours_within_the_retention_stay(viewed: list[Content], settings: Settings) -> None:
    settings.COUNTERS_HOURLY_DAYS = 100_000
    assert compact() == 0
    assert len(hours_of(viewed[0])) == 9


def test_views_that_come_late_are_compacted_the_next_time(
    log: RedisLog, viewed: list[Content]
) -> None:
    compact()
    store_views(log, (AT + 5 * HOUR, [viewed[0].pk]), (AT, [viewed[0].pk]))
    flush()
    assert hours_of(viewed[0]) == [(0, 4), (5, 1), (24, 3), (48, 3)]

    compact()

    assert hours_of(viewed[0]) == [(0, 5), (24, 3), (48, 3)]
    assert not list(broken_totals())


@pytest.mark.parametrize("when", ["before", "after"])
def test_views_of_deleted_targets_stand_in_one_row_per_day(
    viewed: list[Content], when: str
) -> None:
    if when == "after":
        compact()
    Content.objects.filter(pk__in=[one.pk for one in viewed[:2]]).delete()
    sums = series_by_model(Interval.DAY, START, UNTIL)

    compact()

    of_deleted = Rollup.objects.filter(target_id=DELETED).order_by("hour")
    assert list(of_deleted.values_list("views", flat=True)) == [6, 6, 6]
    assert set(Rollup.objects.filter(hour__lt=UNTIL).values_list("target_id", flat=True)) == {
        DELETED, viewed[2].pk
    }  # fmt: skip
    assert series_by_model(Interval.DAY, START, UNTIL) == sums
    assert not list(broken_totals())


def test_targets_are_compacted_some_at_a_time(
    viewed: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in {"CHUNK_SIZE": 1, "SPAN": 1, "DELETED_CHUNK_SIZE": 1}.items():
        monkeypatch.setattr(compacting, name, number)
    Content.objects.filter(pk=viewed[0].pk).delete()

    tasks.compact()

    assert hours_of(viewed[1]) == hours_of(viewed[2]) == [(0, 3), (24, 3), (48, 3)]
    assert Rollup.objects.filter(target_id=DELETED).aggregate(n=Sum("views"))["n"] == 9


@pytest.mark.django_db(transaction=True)
def test_compacting_beside_flushes_of_late_views_loses_nothing(
    log: RedisLog, contents: list[Content]
) -> None:
    ids = [one.pk for one in contents]

    def count_late() -> None:
        for number in range(10):
            store_views(log, *[(AT + n * HOUR, ids) for n in range(number % 5, 48, 5)])
            with suppress(OperationalError):  # a deadlock, on MariaDB: the next one goes on
                flush()

    def compact_often() -> None:
        for _ in range(10):
            with suppress(OperationalError):
                compact()

    run_at_once([count_late, compact_often, compact_often])
    flush_all()
    events = sum(len(range(number % 5, 48, 5)) for number in range(10))
    assert not list(differences())
    assert not list(broken_totals())
    compact()

    assert [sum(views for _, views in hours_of(one)) for one in contents] == [events] * 3
    assert [len(hours_of(one)) for one in contents] == [2, 2, 2]
    total = HourTotal.objects.filter(hour__lt=UNTIL)
    assert (total.count(), total.aggregate(n=Sum("views"))["n"]) == (2, 3 * events)
    assert not list(differences())
    assert not list(broken_totals())


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no locks of rows")
def test_compacting_waits_for_no_target(viewed: list[Content]) -> None:
    with locked(Content.objects.all()):
        assert compact() == 3 * 7 + 7

    assert not list(differences())


def test_events_set_aside_are_dismissed_in_the_end(log: RedisLog) -> None:
    for number in range(2):
        DeadLetter.objects.create(partition=0, at=AT, body=b"", reason=str(number))
    Identity.objects.update(epoch=500 * 24)
    DeadLetter.objects.filter(reason="0").update(epoch=100 * 24)

    tasks.prune()

    assert DeadLetter.objects.get().reason == "1"


def test_what_retention_adds_meanwhile_stays_in_the_base(viewed: list[Content]) -> None:
    """Retention locks other rows: it may add to an hour between any two statements."""
    kind, target, hour = content_type_of(Content).pk, viewed[0].pk, AT // HOUR + 5
    sql.add_views(Base, kind, Views({hour: {target: 5}}))
    added = False

    def add(execute: Any, statement: str, *args: Any) -> Any:
        nonlocal added
        if not added and "counters_base" in statement and not statement.startswith("SELECT"):
            added = True
            sql.add_views(Base, kind, Views({hour: {target: 3}}))
        return execute(statement, *args)

    with connection.execute_wrapper(add):
        compact()

    assert added
    assert sum(Base.objects.values_list("views", flat=True)) == 8
    compact()
    compacting._move_base(Content, START, [target])
    assert [(one.hour, one.views) for one in Base.objects.all()] == [(START, 8)]

"""The most viewed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, models
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.pages.models import Content, Page
from footfall import tasks
from footfall.models import Adjustment, Projection, Ranking, Rollup
from footfall.projections.ranking import (
    KEPT,
    MIN_AGE,
    SHARE,
    Window,
    compute,
    is_due,
    rank,
    rank_due,
    top,
    trend,
)
from footfall.registry import content_type_of, countable_models

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)


def store(content: Content, *views: tuple[float, int]) -> None:
    """Roll up views of `content`, each so many hours before NOW, and set its counter."""
    for hours_ago, count in views:
        at = (NOW - timedelta(hours=hours_ago)).replace(minute=0)
        Rollup.objects.create(
            content_type=content_type_of(Content), target_id=content.pk, hour=at, views=count
        )
    Content.objects.filter(pk=content.pk).update(counter=sum(count for _, count in views))


def ranked(window: Window) -> list[tuple[object, ...]]:
    return [(one["id"], one["views"], one["before"]) for one in compute(Content, window, NOW)]


def test_a_window_has_its_hours_and_the_period_before(contents: list[Content]) -> None:
    a, b, c = contents
    store(a, (0, 1), (23, 2), (24, 4), (47, 8), (48, 16))
    store(b, (23, 5))
    store(c, (24 * 7 - 1, 7), (24 * 7, 9))

    assert ranked(Window.DAY) == [(b.pk, 5, 0), (a.pk, 3, 12)]
    assert ranked(Window.WEEK) == [(a.pk, 31, 0), (c.pk, 7, 9), (b.pk, 5, 0)]
    assert ranked(Window.ALL) == [(a.pk, 31, None), (c.pk, 16, None), (b.pk, 5, None)]


def test_recent_views_come_with_them(contents: list[Content]) -> None:
    store(contents[0], (0, 1), (1, 2), (25, 4))

    (day,) = compute(Content, Window.DAY, NOW)
    (week,) = compute(Content, Window.WEEK, NOW)
    (everything,) = compute(Content, Window.ALL, NOW)

    assert day["series"] == [0] * 22 + [2, 1]
    assert week["series"] == [0] * 5 + [4, 3]
    assert everything["series"] == [0] * 28 + [4, 3]


def test_the_deleted_do_not_push_out_the_others(contents: list[Content]) -> None:
    gone = range(10**6, 10**6 + 3 * KEPT)
    hour = NOW.replace(minute=0)
    Rollup.objects.bulk_create(
        Rollup(content_type=content_type_of(Content), target_id=pk, hour=hour, views=9)
        for pk in gone
    )
    store(contents[0], (0, 1))

    assert ranked(Window.DAY) == [(contents[0].pk, 1, 0)]


def test_no_more_are_kept_than_anybody_asks_for(contents: list[Content]) -> None:
    Content.objects.bulk_create(Content(title="One of many") for _ in range(KEPT + 20))
    hour = NOW.replace(minute=0)
    Rollup.objects.bulk_create(
        Rollup(content_type=content_type_of(Content), target_id=content.pk, hour=hour, views=1)
        for content in Content.objects.all()
    )
    Content.objects.update(counter=1)

    assert [len(compute(Content, window, NOW)) for window in Window] == [KEPT] * 3


def test_the_task_computes_every_ranking_once(contents: list[Content]) -> None:
    Content.objects.filter(pk=contents[0].pk).update(counter=3)

    tasks.rank()
    before = list(Ranking.objects.order_by("pk").values_list("computed_at", flat=True))
    tasks.rank()

    assert len(before) == len(countable_models()) * len(Window)
    assert before == list(Ranking.objects.order_by("pk").values_list("computed_at", flat=True))
    assert [one.id for one in top(Content)[Window.ALL].ranked] == [contents[0].pk]
    assert top(Page)[Window.ALL].ranked == []


def test_a_tick_too_many_takes_four_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tasks.rank()

    with django_assert_num_queries(4):
        tasks.rank()


def test_what_takes_long_is_computed_seldom() -> None:
    quick, slow = Ranking(seconds=0.01), Ranking(seconds=2.0)

    assert is_due(quick, NOW)
    quick.computed_at = slow.computed_at = NOW
    assert not is_due(quick, NOW + MIN_AGE / 2)
    assert is_due(quick, NOW + MIN_AGE)
    assert not is_due(slow, NOW + timedelta(seconds=SHARE * 2 - 1))
    assert is_due(slow, NOW + timedelta(seconds=SHARE * 2))
    assert is_due(slow, NOW - timedelta(hours=1)), "the clock was set back"


def test_reading_takes_one_query(
    contents: list[Content], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert rank(Content, Window.DAY)

    with django_assert_num_queries(1):
        found = top(Content)

    assert found[Window.DAY].as_of is not None
    assert found[Window.WEEK].as_of is None


@pytest.mark.parametrize("added", [{"of a later version": 1}, {}])
def test_a_ranking_of_another_version_is_read(
    contents: list[Content], added: dict[str, int]
) -> None:
    """In an upgrade workers write it while web servers of the version before still read."""
    kept = {"id": contents[0].pk, "views": 3, "before": 6, "series": [1, 2], **added}
    Ranking.objects.create(
        content_type=content_type_of(Content), window="7d", computed_at=NOW, ranked=[kept]
    )

    (one,) = top(Content)[Window.WEEK].ranked

    assert (one.views, one.series, one.people) == (3, [1, 2], None)
    assert one.trend is not None


@pytest.mark.django_db(transaction=True)
def test_a_ranking_that_is_being_computed_is_not_waited_for(
    contents: list[Content],
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no row locks")
    rank(Content, Window.DAY)
    Ranking.objects.update(computed_at=None)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM counters_ranking FOR UPDATE")
        began = timezone.now()
        assert not rank(Content, Window.DAY)
    other.close()

    assert timezone.now() - began < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("views", "before", "expected"),
    [(470, 480, 0.0), (940, 480, 1.0), (235, 480, -0.5), (0, 480, -1.0), (5, 0, None)],
)
def test_the_trend_compares_views_per_hour(views: int, before: int, expected: float | None) -> None:
    # Half an hour of 24 is still to come: 23.5 hours stand beside 24.
    found = trend(views, before, 24, NOW)

    assert found == (None if expected is None else pytest.approx(expected))


def test_all_time_has_no_trend() -> None:
    assert trend(5, None, None, NOW) is None


def is_computed(
    after: timedelta, monkeypatch: pytest.MonkeyPatch, *, since: datetime = NOW
) -> bool:
    """Tell whether rankings that were computed at a time are computed again so long after."""
    rank_due()
    Ranking.objects.update(computed_at=since)
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: since + after)
        rank_due()
    return Ranking.objects.filter(computed_at__gt=since).exists()


@pytest.mark.parametrize(
    ("minutes", "expected"), [(0.5, False), (9, False), (10, True), (30, True)]
)
def test_while_nothing_changes_a_ranking_is_computed_every_ten_minutes(
    minutes: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_computed(timedelta(minutes=minutes), monkeypatch) == expected


def test_a_new_hour_changes_each_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    before = NOW.replace(minute=58)

    assert not is_computed(timedelta(minutes=1), monkeypatch, since=before)
    assert is_computed(timedelta(minutes=3), monkeypatch, since=before)


@pytest.mark.parametrize(("ago", "expected"), [(0.5, True), (2, True), (5.5, True), (7, False)])
@pytest.mark.parametrize("what", [Projection, Adjustment])
def test_what_has_just_changed_is_ranked_again(
    what: type[models.Model], ago: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = NOW + timedelta(minutes=5 - ago)
    if what is Projection:
        Projection.objects.create(name="hourly:pages.content", moved_at=at)
    else:
        Adjustment.objects.create(content_type=content_type_of(Content), target_id=1, amount=1)
        Adjustment.objects.update(at=at)

    assert is_computed(timedelta(minutes=5), monkeypatch) == expected

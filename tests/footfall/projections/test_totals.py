"""Counters: exact, and around rows that another transaction has locked."""

import re
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from catalog.pages.models import Content, Page
from footfall.events import DropReason
from footfall.models import Carried, Projection
from footfall.ops.audit.run import differences
from footfall.projections.run import apply_new_events
from footfall.sql.batch import MAX_COUNTER
from footfall.store.append import locked_head
from tests.support.concurrency import in_transaction, locked, run_at_once
from tests.support.projections import carried, positions, view
from tests.support.views import AT, HOUR, Counts

pytestmark = pytest.mark.django_db(transaction=True)
needs_row_locks = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="it has one writer, and locks of the whole database"
)
TOTALS = "totals:pages.content"


@pytest.fixture
def ids(contents: list[Content]) -> list[int]:
    return [content.pk for content in contents]


def counter_updates(queries: CaptureQueriesContext) -> list[str]:
    updates = [q["sql"] for q in queries if q["sql"].lstrip().startswith("UPDATE")]
    return [sql for sql in updates if re.search(r"""SET (target\.)?["`]?counter["`]? =""", sql)]


def dropped() -> dict[str, int]:
    return dict(Projection.objects.get(name=TOTALS).dropped)


def test_views_of_several_hours_are_added_in_one_update(ids: list[int], counts: Counts) -> None:
    view({"pages.content": ids}, times=2)
    view({"pages.content": ids[:1]}, at=AT + HOUR)

    with CaptureQueriesContext(connection) as queries:
        projected = apply_new_events()

    assert counts() == [3, 2, 2]
    assert len(counter_updates(queries)) == 1
    (applied,) = projected.applied
    assert (applied.label, applied.first, applied.last) == ("pages.content", 1, 2)
    assert applied.counters == dict(zip(ids, counts(), strict=True))


def test_it_says_from_which_partitions_targets_were_viewed(ids: list[int]) -> None:
    view({"pages.content": ids[:2]}, partition=0)
    view({"pages.content": ids[1:]}, partition=3)

    (applied,) = apply_new_events().applied

    assert applied.masks == {ids[0]: 0b0001, ids[1]: 0b1001, ids[2]: 0b1000}


def test_views_of_what_does_not_exist_are_dropped(ids: list[int], counts: Counts) -> None:
    view({"pages.content": [*ids, 2**40]}, times=3)
    apply_new_events()
    view({"pages.content": [2**40]})
    apply_new_events()

    assert counts() == [3, 3, 3]
    assert dropped() == {DropReason.TARGET_DELETED: 4}


def test_a_full_counter_holds_up_no_other(
    ids: list[int], counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    Content.objects.filter(pk=ids[0]).update(counter=MAX_COUNTER - 1)
    view({"pages.content": ids}, times=3)

    apply_new_events()

    assert counts() == [MAX_COUNTER, 3, 3]
    assert dropped() == {DropReason.COUNTER_FULL: 3}
    assert f"pages.Content [{ids[0]}]: the counter is full" in caplog.text


@needs_row_locks
def test_a_locked_row_holds_up_itself(ids: list[int], counts: Counts) -> None:
    with locked(Content.objects.filter(pk=ids[0])):
        view({"pages.content": ids}, times=2, at=AT + HOUR)
        projected = apply_new_events()

        assert counts() == [0, 2, 2]
        assert carried() == {ids[0]: 2}
        assert projected.applied[0].counters == {ids[1]: 2, ids[2]: 2}
        assert positions()[TOTALS] == 1

        view({"pages.content": ids}, times=3)
        apply_new_events(force=True)

        assert counts() == [0, 5, 5]
        assert carried() == {ids[0]: 5}
        assert Carried.objects.get().since == AT
        assert not list(differences())

    projected = apply_new_events()

    assert counts() == [5, 5, 5]
    assert carried() == {}
    assert projected.applied[0].counters == {ids[0]: 5}
    assert dropped() == {}
    assert not list(differences())


@needs_row_locks
def test_rows_that_stay_locked_cost_no_wait_twice(ids: list[int], counts: Counts) -> None:
    """While views are carried over, no row is waited for."""
    with locked(Content.objects.filter(pk__in=ids[:2])):
        view({"pages.content": ids})
        apply_new_events()
        view({"pages.content": ids})
        with CaptureQueriesContext(connection) as queries:
            apply_new_events()

    assert len(counter_updates(queries)) == 1
    assert any("SKIP LOCKED" in q["sql"] and "pages_content" in q["sql"] for q in queries)
    assert counts() == [0, 0, 2]


@needs_row_locks
def test_with_every_content_locked_the_others_are_counted(
    page: Page, ids: list[int], counts: Counts
) -> None:
    with locked(Content.objects.all()):
        for _ in range(3):
            view({"pages.page": [page.pk], "pages.content": ids}, times=10)
            apply_new_events(force=True)

        page.refresh_from_db()
        assert page.counter == 30
        assert counts() == [0, 0, 0]
        assert set(positions().values()) == {3}
        assert not list(differences())

    apply_new_events()
    assert counts() == [30, 30, 30]
    assert not list(differences())


@needs_row_locks
def test_a_target_that_is_deleted_while_its_views_are_carried(
    ids: list[int], counts: Counts
) -> None:
    with locked(Content.objects.filter(pk=ids[0])):
        view({"pages.content": ids}, times=2)
        apply_new_events()
    Content.objects.get(pk=ids[0]).delete()
    view({"pages.content": ids})

    apply_new_events()

    assert counts() == [3, 3]
    assert carried() == {}
    assert dropped() == {DropReason.TARGET_DELETED: 3}


@needs_row_locks
@pytest.mark.parametrize("commit", [True, False])
def test_a_target_that_is_being_deleted(ids: list[int], counts: Counts, commit: bool) -> None:
    def delete() -> None:
        Content.objects.get(pk=ids[0]).delete()

    with in_transaction(delete, commit=commit):
        view({"pages.content": ids}, times=2)
        apply_new_events()
        assert carried() == {ids[0]: 2}
    apply_new_events()

    assert counts() == ([2, 2] if commit else [2, 2, 2])
    assert carried() == {}
    assert dropped() == ({DropReason.TARGET_DELETED: 2} if commit else {})


@needs_row_locks
def test_a_table_that_is_being_altered_is_waited_for_another_time(
    page: Page, ids: list[int], counts: Counts
) -> None:
    """Its projection is behind alone, and that is no failure."""

    def lock_table() -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "mysql":
                cursor.execute("LOCK TABLES pages_content WRITE")
            else:
                cursor.execute("LOCK TABLE pages_content IN ACCESS EXCLUSIVE MODE")

    view({"pages.page": [page.pk], "pages.content": ids}, times=2)
    with in_transaction(lock_table):
        projected = apply_new_events()

    assert projected.waiting == [TOTALS]
    assert projected.failed == []
    assert [name for name, number in positions().items() if number != 1] == [TOTALS]
    assert not Projection.objects.exclude(failed_at=None).exists()
    assert carried() == {}
    apply_new_events(force=True)
    assert counts() == [2, 2, 2]


def test_projectors_at_once_count_once(page: Page, ids: list[int], counts: Counts) -> None:
    def store_and_apply() -> None:
        for _ in range(10):
            view({"pages.page": [page.pk], "pages.content": ids})
            apply_new_events(force=True, max_events=5)

    with transaction.atomic():
        locked_head()  # on MySQL, those who create it at once have to try again
    run_at_once([store_and_apply] * 4)
    while apply_new_events(force=True).more:
        pass

    assert counts() == [40, 40, 40]
    assert set(positions().values()) == {40}
    assert not list(differences())


@needs_row_locks
def test_locks_that_come_and_go_lose_nothing(
    contents: list[Content], ids: list[int], counts: Counts
) -> None:
    def store_and_apply() -> None:
        for number in range(9):
            view({"pages.content": ids[number % 3 :]})
            apply_new_events(force=True)

    def edit() -> None:
        for number in range(9):
            with in_transaction(lambda pk=ids[number % 3]: rename(pk)):  # type: ignore[misc]
                apply_new_events(force=True)

    def rename(pk: int) -> Any:
        return Content.objects.filter(pk=pk).update(title="Renamed")

    run_at_once([store_and_apply, store_and_apply, edit])
    while apply_new_events(force=True).more or carried():
        pass

    views = [len([n for n in range(9) if n % 3 <= index]) * 2 for index in range(3)]
    assert counts() == views
    assert not list(differences())

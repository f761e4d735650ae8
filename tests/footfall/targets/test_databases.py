"""Counters of models in another database than the event store."""

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone
from redis import Redis

from catalog.pages.models import Content, Page
from footfall.flush import flush, flush_all, ingest
from footfall.models import Audit, CounterCopy, KeptCounter, Projection, Rollup
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import run_audit
from footfall.ops.status import status
from footfall.projections import copies
from footfall.projections.copies import copy
from footfall.projections.rows import TOTALS
from footfall.projections.run import apply_new_events
from footfall.record import record
from footfall.recount.adopt import adopt
from footfall.recount.rebuild import rebuild
from tests.support import databases
from tests.support.concurrency import locked, run_at_once
from tests.support.crashes import dying
from tests.support.targets import OTHER, Shop, Ware

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", OTHER])
needs_row_locks = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="it has one writer, and locks of the whole database"
)


@pytest.fixture
def shop(other: str) -> Shop:
    made: Shop = Shop.objects.create(title="shop")
    return made


@pytest.fixture
def ware(other: str) -> Ware:
    made: Ware = Ware.objects.create(title="ware")
    return made


def counter(row: Any) -> int:
    return int(type(row).objects.using(OTHER).get(pk=row.pk).counter)


def waiting() -> int:
    return status().unstored or 0


def failing() -> set[str]:
    return {one.name for one in status().projections if one.failed_at}


def take_away(patch: pytest.MonkeyPatch) -> None:
    databases.take_away(patch, OTHER)


def audit(**options: Any) -> list[str]:
    return list(run_audit(Audit.objects.create(), **options))


@pytest.mark.long
def test_migrate_makes_one_table_of_ours(other: str) -> None:
    with connections[OTHER].schema_editor() as editor:
        editor.delete_model(CounterCopy)

    call_command("migrate", "counters", database=OTHER, verbosity=0)

    tables = connections[OTHER].introspection.table_names()
    assert [one for one in tables if one.startswith("counters")] == ["counters_countercopy"]


def test_counters_and_their_position_are_in_the_database_of_their_model(
    shop: Shop, ware: Ware
) -> None:
    record(shop, [ware])
    record(ware)

    flush_all()

    assert (counter(shop), counter(ware)) == (1, 2)
    copied = CounterCopy.objects.using(OTHER).get(label="targets.ware")
    totals = Projection.objects.get(name="totals:targets.ware")
    assert (copied.changes, copied.number, copied.key) == (
        totals.changes, totals.number, totals.key,
    )  # fmt: skip
    assert not CounterCopy.objects.exists()
    assert audit() == []


def test_a_view_waits_for_the_transaction_of_its_target(other: str) -> None:
    with transaction.atomic(OTHER), transaction.atomic():
        ware = Ware.objects.create(title="new")
        record(ware)
        assert waiting() == 0
    with transaction.atomic(OTHER):
        record(Ware.objects.create(title="rolled back"))
        transaction.set_rollback(True, OTHER)

    assert waiting() == 1
    flush_all()
    assert counter(ware) == 1


@pytest.mark.parametrize(("outer", "inner"), [("default", OTHER), (OTHER, "default")])
def test_a_view_is_not_recorded_if_the_inner_transaction_of_two_rolls_back(
    shop: Shop, outer: str, inner: str
) -> None:
    with transaction.atomic(outer):
        with transaction.atomic(inner):
            record(shop)
            transaction.set_rollback(True, inner)
        assert waiting() == 0

    assert waiting() == 0


def test_while_the_other_database_is_away_the_rest_is_counted(
    shop: Shop, ware: Ware, page: Page, contents: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(shop)
    flush_all()
    with monkeypatch.context() as patch:
        take_away(patch)
        record(shop, [ware])
        record(page, contents)
        flush()
        assert [one.counter for one in Content.objects.all()] == [1, 1, 1]
        lines = audit()
        assert any("targets.shop: not compared, OperationalError" in line for line in lines)
        assert {"copy:targets.shop"} <= failing()
    flush_all()

    assert (counter(shop), counter(ware)) == (2, 1)
    assert audit() == []
    assert failing() == set()


@pytest.mark.parametrize(
    "failpoint", ["totals_before_commit", "totals_after_commit", "copy_before_commit",
                  "copy_after_commit", "copy_before_chunk", "copy_after_chunk"]
)  # fmt: skip
def test_a_crash_between_the_two_transactions_loses_and_doubles_nothing(
    shop: Shop, ware: Ware, failpoint: str
) -> None:
    record(shop, [ware])
    with dying(at=failpoint):
        flush()
    record(shop)
    with dying(at=failpoint):
        flush()
    flush_all()

    assert (counter(shop), counter(ware)) == (2, 1)
    assert audit() == []


def test_a_restored_column_is_copied_again(shop: Shop, ware: Ware) -> None:
    record(shop, [ware])
    flush_all()
    before = list(CounterCopy.objects.using(OTHER).values())
    record(shop)
    flush_all()
    # The other database as it was at the first flush: an older backup, or a standby that lost.
    Shop.objects.update(counter=1)
    for row in before:
        CounterCopy.objects.using(OTHER).filter(label=row["label"]).update(**row)

    flush_all()

    assert (counter(shop), counter(ware)) == (2, 1)


def test_without_its_position_everything_is_copied_again(shop: Shop, ware: Ware) -> None:
    record(shop, [ware])
    flush_all()
    CounterCopy.objects.using(OTHER).all().delete()
    Ware.objects.update(counter=0)
    Shop.objects.update(counter=77)

    flush_all()

    assert (counter(shop), counter(ware)) == (1, 1)


def test_a_restored_store_is_followed(shop: Shop) -> None:
    """The store has another history since: the column follows it, whatever is in it."""
    record(shop)
    flush_all()
    kept = KeptCounter.objects.get()
    totals = Projection.objects.get(name="totals:targets.shop")
    record(shop)
    flush_all()
    KeptCounter.objects.update(counter=kept.counter, changes=kept.changes)
    Projection.objects.filter(name=totals.name).update(changes=totals.changes)

    copy("targets.shop", force=True)

    assert counter(shop) == 1


def test_what_a_restored_store_counts_again_is_not_added_to_its_copies(shop: Shop) -> None:
    """The store as it was before the first view of a target, of which the column has views."""
    late = Shop.objects.create(title="late")
    record(shop)
    flush_all()
    totals = Projection.objects.get(name="totals:targets.shop")
    record(late)
    record(late)
    flush_all()
    KeptCounter.objects.filter(target_id=late.pk).delete()
    Rollup.objects.filter(target_id=late.pk).delete()
    Projection.objects.filter(name=totals.name).update(changes=totals.changes)

    record(late)  # stands for the two that are read again
    flush_all()

    assert (counter(shop), counter(late)) == (1, 1)


@pytest.mark.usefixtures("ware")
def test_columns_with_counts_are_noticed_beside_some_that_are_adopted(
    shop: Shop, server: Redis, prefix: str
) -> None:
    other = Shop.objects.create(title="other")
    Shop.objects.filter(pk=other.pk).update(counter=40)
    server.hset(prefix, str(shop.pk), "5")
    try:
        call_command("counters", "adopt", "targets.shop", redis_hash=prefix, stdout=StringIO())
    finally:
        server.delete(prefix)

    record(other)
    flush_all()

    assert (counter(shop), counter(other)) == (5, 41)
    assert any("`counters adopt" in line for line in audit(repair=True))
    assert counter(other) == 41


@needs_row_locks
def test_a_locked_row_holds_up_itself_alone(shop: Shop) -> None:
    free = Shop.objects.create(title="free")
    with locked(Shop.objects.filter(pk=shop.pk)):
        record(shop, [free])
        flush()
        assert (counter(shop), counter(free)) == (0, 1)
        record(free)
        flush()
        assert counter(free) == 2

    flush_all()

    assert (counter(shop), counter(free)) == (1, 2)


def test_a_column_that_differs_is_found_and_repaired(shop: Shop, ware: Ware) -> None:
    record(shop, [ware])
    flush_all()
    Ware.objects.update(counter=9)

    found = audit()
    repaired = audit(repair=True)

    assert found == [f"targets.ware {ware.pk}: column 9, its counter is 1"]
    assert repaired == [f"{found[0]}; set to it"]
    assert counter(ware) == 1
    assert audit() == []


def test_a_column_with_counts_goes_on_and_is_adopted(shop: Shop, ware: Ware) -> None:
    Shop.objects.update(counter=40)
    Ware.objects.update(counter=7)
    record(shop, [Ware.objects.create(title="new")])
    flush_all()
    assert counter(shop) == 41

    lines = audit(repair=True)
    adopted = [adopt(label) for label in ("targets.shop", "targets.ware")]

    assert all("`counters adopt" in line for line in lines)
    assert [one.views for one in adopted] == [40, 7]
    assert (counter(shop), counter(ware)) == (41, 7)
    assert audit() == []


def test_an_adjustment_reaches_the_column(shop: Shop, ware: Ware) -> None:
    record(shop, [ware])
    flush_all()

    adjust(Ware, ware.pk, to=50, why="known elsewhere")
    adjust(Shop, shop.pk, by=4, why="known elsewhere")
    flush_all()

    assert (counter(shop), counter(ware)) == (5, 50)
    assert audit() == []


def test_a_first_change_is_copied_while_others_are_viewed(shop: Shop, ware: Ware) -> None:
    """An adjustment that failed has made the projection, and nothing was counted by it."""
    with pytest.raises(Ware.DoesNotExist):
        adjust(Ware, uuid4(), to=1, why="a wrong key")
    record(shop)
    flush()
    adjust(Ware, ware.pk, to=50, why="known elsewhere")

    record(shop)
    flush()

    assert counter(ware) == 50


def test_a_dry_run_of_adopt_writes_nothing(shop: Shop, ware: Ware) -> None:
    Shop.objects.update(counter=40)
    Ware.objects.update(counter=7)

    would_be = [adopt(label, dry_run=True) for label in ("targets.shop", "targets.ware")]

    assert [(one.targets, one.views) for one in would_be] == [(1, 40), (1, 7)]
    assert not KeptCounter.objects.exists()
    assert not Projection.objects.filter(name__contains="targets").exists()
    assert [adopt(label).views for label in ("targets.shop", "targets.ware")] == [40, 7]


@pytest.mark.parametrize("how", ["adjust", "adopt"])
def test_nothing_is_locked_while_the_other_database_is_asked(
    shop: Shop, ware: Ware, how: str, server: Redis, prefix: str
) -> None:
    asked: list[bool] = []

    def ask(execute: Any, statement: str, *rest: Any) -> Any:
        asked.append(connection.in_atomic_block)
        return execute(statement, *rest)

    server.hset(prefix, str(ware.pk), "5")
    with connections[OTHER].execute_wrapper(ask):
        if how == "adjust":
            adjust(Ware, ware.pk, to=5, why="known elsewhere")
        else:
            call_command("counters", "adopt", "targets.ware", redis_hash=prefix, stdout=StringIO())

    assert asked
    assert not any(asked)
    flush_all()
    assert counter(ware) == 5


def test_a_rebuild_reaches_the_column(shop: Shop, ware: Ware) -> None:
    record(shop, [ware])
    flush_all()
    KeptCounter.objects.update(counter=0)

    rebuild("totals:targets.ware")
    rebuild("totals:targets.shop")
    Ware.objects.update(counter=0)
    Shop.objects.update(counter=0)
    flush_all()

    assert (counter(shop), counter(ware)) == (1, 1)
    assert audit() == []


def test_the_row_of_a_deleted_target_goes_with_it(shop: Shop, ware: Ware) -> None:
    record(shop, [ware])
    flush_all()
    with transaction.atomic(OTHER):
        Ware.objects.all().delete()
        transaction.set_rollback(True, OTHER)
    assert KeptCounter.objects.count() == 2

    Ware.objects.all().delete()
    Shop.objects.all()._raw_delete(OTHER)

    assert KeptCounter.objects.count() == 1
    audit(repair=True)
    assert KeptCounter.objects.count() == 0


def test_views_since_a_time_are_asked_in_two_databases(
    shop: Shop, ware: Ware, real_delay: None
) -> None:
    Shop.objects.create(title="not viewed")
    record(shop, [ware])
    flush_all()
    since = timezone.now() - timedelta(hours=1)

    for row in (shop, ware):
        rows: Any = type(row).objects
        assert rows.with_views(since=since).get(pk=row.pk).views == 1
        assert list(rows.most_viewed(days=1)) == [row]
        assert list(rows.most_viewed()) == [row]
    assert list(Shop.objects.with_views(since=since).order_by("views"))[1] == shop


def test_the_check_names_a_missing_table(other: str) -> None:
    with connections[OTHER].schema_editor() as editor:
        editor.delete_model(CounterCopy)
    try:
        found = checks.run_checks(databases=[OTHER], tags=[checks.Tags.database])
    finally:
        with connections[OTHER].schema_editor() as editor:
            editor.create_model(CounterCopy)

    assert [one.id for one in found] == ["counters.W004"]
    assert checks.run_checks(databases=[OTHER], tags=[checks.Tags.database]) == []


def test_two_processes_copy_at_once(shop: Shop) -> None:
    for _ in range(3):
        record(shop)
        ingest()
        run_at_once([lambda: apply_new_events(force=True)] * 3)
    flush_all()

    assert counter(shop) == 3
    assert audit() == []


def test_a_first_copy_of_many_holds_up_no_counting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes several steps, and what is stored meanwhile is counted between them."""
    monkeypatch.setattr(copies, "CHUNK_SIZE", 1)
    monkeypatch.setattr(copies, "STEP_SECONDS", 0.0)
    shops = [shop, *(Shop.objects.create(title=f"{number}") for number in range(3))]
    record(shop, shops[1:])
    ingest()
    assert apply_new_events(force=True, kinds=[TOTALS]).more
    assert sum(map(counter, shops)) == 1
    record(shop)
    ingest()

    assert apply_new_events(force=True, kinds=[TOTALS]).more

    assert KeptCounter.objects.get(target_id=shop.pk).counter == 2
    assert sum(map(counter, shops)) == 2
    flush_all()
    assert list(map(counter, shops)) == [2, 1, 1, 1]
    assert audit() == []


@needs_row_locks
def test_many_locked_rows_are_copied_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_LEFT", 1)
    shops = [shop, *(Shop.objects.create(title="another") for _ in range(3))]
    with locked(Shop.objects.all()):
        for _ in range(2):
            record(shop, shops[1:])
            flush()
        assert set(map(counter, shops)) == {0}
    with locked(Shop.objects.filter(pk=shop.pk)):
        record(shops[1])
        flush()
        assert list(map(counter, shops)) == [0, 3, 2, 2]

    flush_all()

    assert list(map(counter, shops)) == [2, 3, 2, 2]
    assert audit() == []


def test_what_redis_has_counted_before_is_adopted(shop: Shop, server: Redis, prefix: str) -> None:
    server.hset(f"{prefix}:views", mapping={str(shop.pk): 5})
    for views in (5, 0):
        out = StringIO()
        call_command(
            "counters", "adopt", "targets.shop", "--redis-hash", f"{prefix}:views", stdout=out
        )
        assert f"{views} views" in out.getvalue()

    flush_all()

    assert counter(shop) == 5
    assert not audit()

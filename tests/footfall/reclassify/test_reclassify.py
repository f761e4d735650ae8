"""Agents are classified anew: the past follows, as if it had been known from the start."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content
from footfall import verdicts
from footfall.events import Meta, encode_meta
from footfall.flush import project
from footfall.models import (
    Agent,
    Audit,
    Base,
    Correcting,
    Correction,
    HourTotal,
    Identity,
    KeptKind,
    Kind,
    Projection,
    Reclassification,
    ReclassifiedAgent,
    Rollup,
    Segment,
    StoreHead,
)
from footfall.ops.audit.run import run_audit
from footfall.projections.compact import compact as compact_hours
from footfall.projections.run import apply_new_events
from footfall.reclassify import changes, past
from footfall.reclassify.changes import Unfinished, begin
from footfall.reclassify.past import finish, reclassify, resume
from footfall.recount.drop import drop
from footfall.recount.rebuild import rebuild
from footfall.recount.upkeep import keep_store
from footfall.store.compact import compact as compact_store
from footfall.store.read import is_known
from footfall.store.retain import remove_due, retention
from footfall.verdicts import current
from tests.support.agents import (
    BROWSER,
    HIDDEN,
    LIBRARY,
    ROBOT,
    assert_rolled_up,
    by_kind,
    decide,
    rollups,
    seen,
)  # fmt: skip
from tests.support.concurrency import locked, run_at_once
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
HOURLY = f"hourly:{LABEL}"
DAY = 24 * HOUR


def count() -> None:
    while project(force=True).more:
        pass


def audit() -> list[str]:
    return list(run_audit(Audit()))


def views_of(ids: list[int]) -> None:
    """Two days of views by four agents, in segments of their own."""
    for hour, (string, times) in enumerate(
        [(BROWSER, 5), (ROBOT, 3), (HIDDEN, 4), (LIBRARY, 1), (HIDDEN, 2)]
    ):
        view({LABEL: ids[: 1 + hour % 3]}, times, at=AT + hour * 9 * HOUR, agent=seen(string))


def counted_from_the_start() -> dict[Any, int]:
    """Count everything again with the verdicts of now; return the rollups."""
    Rollup.objects.all().delete()
    HourTotal.objects.all().delete()
    rebuild(HOURLY)
    return dict(rollups())


def test_views_are_counted_by_the_kinds_of_their_agents(ids: list[int]) -> None:
    views_of(ids)
    view({LABEL: ids}, agent=0)
    count()

    expected = {"views": 5 + 6 + 12 + 1 + 4 + 3, "person": 5 + 12 + 4, "robot": 6, "library": 1}
    assert by_kind(Rollup) == by_kind(HourTotal) == expected
    assert audit() == []


def test_an_agent_without_a_row_is_unknown_until_it_has_one(ids: list[int]) -> None:
    agent = seen(ROBOT)
    Agent.objects.all().delete()
    view({LABEL: ids[:1]}, agent=agent)
    count()
    seen(ROBOT)
    view({LABEL: ids[:1]}, agent=agent)
    count()

    assert by_kind() == {"views": 2, "robot": 1}


def test_agents_are_looked_up_again_after_a_restore(ids: list[int]) -> None:
    """However soon: it is the process that remembers."""
    view({LABEL: ids[:1]}, agent=seen(BROWSER))
    count()
    backup = transaction.savepoint()
    agent = seen(ROBOT, Kind.UNKNOWN)  # as if its string came later
    view({LABEL: ids[:1]}, agent=agent)
    count()
    transaction.savepoint_rollback(backup)

    seen(ROBOT)
    view({LABEL: ids[:1]}, agent=agent)
    count()

    assert by_kind() == {"views": 2, "person": 1, "robot": 1}
    assert_rolled_up()


def test_a_count_that_goes_on_through_a_failover_remembers_no_kind_of_before(
    ids: list[int],
) -> None:
    """One thread looks agents up with what another has looked up in the older database."""
    view({LABEL: ids[:1]}, agent=seen(BROWSER))
    count()
    backup = transaction.savepoint()
    agent = seen(ROBOT, Kind.UNKNOWN)
    view({LABEL: ids[:1]}, agent=agent)
    count()
    before = current()
    transaction.savepoint_rollback(backup)

    before.steps(seen("curl/8").to_bytes(8, "big"))
    seen(ROBOT)
    view({LABEL: ids[:1]}, agent=agent)
    count()

    assert by_kind() == {"views": 2, "person": 1, "robot": 1}


def test_threads_that_look_agents_up_at_once_lose_nothing_of_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each replaces what is known: the last one by what it knew when it began."""
    first, second = (encode_meta(Meta(agent=seen(one))) for one in (BROWSER, ROBOT))
    shared = current()
    nothing = shared._known
    shared.of([first])

    def read_beside_another(*arguments: Any) -> Any:
        shared._known = nothing
        return read(*arguments)

    read = verdicts._read
    monkeypatch.setattr(verdicts, "_read", read_beside_another)

    assert shared.of([first, second]) == ([Kind.PERSON, Kind.ROBOT], {})


def test_what_an_operator_says_is_applied_to_the_past(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    counters = dict(Content.objects.values_list("pk", "counter"))

    done = reclassify()

    assert done
    assert done.moved == {"1>2": 16}
    assert by_kind() == {"views": 28, "person": 5, "robot": 6 + 16, "library": 1}
    assert audit() == []
    assert dict(Content.objects.values_list("pk", "counter")) == counters
    assert dict(rollups()) == counted_from_the_start()
    ledger = Correction.objects.get(kind=Correction.Kind.RECLASSIFY)
    assert (ledger.label, ledger.before, ledger.after) == (LABEL, 16, 0)
    assert "16 views from person to robot" in ledger.text


def test_it_is_done_once(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    reclassify()

    assert reclassify() is None
    assert by_kind()["robot"] == 22


def test_views_that_come_meanwhile_are_counted_once(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    monkeypatch.setattr(past, "CHUNK_EVENTS", 1)
    read = past._read

    def read_while_views_come(*arguments: Any) -> Any:
        view({LABEL: ids[:1]}, agent=seen(HIDDEN))
        project(force=True)
        compact_store()
        return read(*arguments)

    monkeypatch.setattr("footfall.store.compact.MIN_AGE", timedelta())
    monkeypatch.setattr(past, "_read", read_while_views_come)
    reclassify()
    count()

    coming = by_kind()["views"] - 28
    assert coming > 2
    assert by_kind() == {
        "views": 28 + coming, "person": 5, "robot": 22 + coming, "library": 1
    }  # fmt: skip
    assert_rolled_up()


def test_a_batch_that_was_read_before_is_not_applied_after(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kinds are those of before."""
    views_of(ids)
    decide(HIDDEN, Kind.ROBOT)
    claim = apply_new_events.__globals__["PROJECTORS"]["hourly"].project.__globals__["claim"]

    def claim_late(*arguments: Any) -> Any:
        monkeypatch.undo()
        reclassify()
        return claim(*arguments)

    monkeypatch.setattr("footfall.projections.hourly.claim", claim_late)
    assert HOURLY in apply_new_events(force=True, kinds=["hourly"]).waiting
    assert by_kind() == {}
    count()

    assert by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}


def test_since_a_day(ids: list[int]) -> None:
    """What is before it keeps its kinds: then, in any audit, and in what is counted again."""
    views_of(ids)  # those of HIDDEN: 18 h (4 of 3 contents) and 36 h (2 of 2)
    count()
    decide(HIDDEN, Kind.MONITOR)

    reclassify(datetime.fromtimestamp((AT + DAY) / 1000, UTC))

    assert by_kind() == {"views": 28, "person": 5 + 12, "robot": 6, "monitor": 4, "library": 1}
    assert audit() == []
    assert dict(rollups()) == counted_from_the_start()
    reclassify(datetime.fromtimestamp(AT / 1000, UTC))
    assert by_kind()["monitor"] == 16
    reclassify()
    assert not KeptKind.objects.exists()
    assert_rolled_up()


def test_events_of_before_the_day_that_come_later_keep_their_kind(ids: list[int]) -> None:
    agent = seen(HIDDEN)
    view({LABEL: ids[:1]}, agent=agent)
    count()
    decide(HIDDEN, Kind.ROBOT)
    reclassify(datetime.fromtimestamp((AT + DAY) / 1000, UTC))
    view({LABEL: ids[:1]}, agent=agent, at=AT + DAY)
    view({LABEL: ids[:1]}, agent=agent)
    count()

    assert by_kind() == {"views": 3, "person": 2, "robot": 1}
    assert audit() == []


def test_compacted_days_and_deleted_targets(ids: list[int], settings: Settings) -> None:
    settings.COUNTERS_HOURLY_DAYS = 31
    views_of(ids)
    count()
    Content.objects.get(pk=ids[0]).delete()
    compact_hours()
    assert Rollup.objects.filter(target_id=0).exists()
    late = view({LABEL: ids}, 2, at=AT + 18 * HOUR, agent=seen(HIDDEN))
    count()
    decide(HIDDEN, Kind.ROBOT)

    reclassify()

    assert late
    assert by_kind() == by_kind(HourTotal) == {
        "views": 34, "person": 5, "robot": 28, "library": 1
    }  # fmt: skip
    assert not Rollup.objects.filter(person__lt=0).exists()
    assert not Rollup.objects.filter(views__lt=F("person") + F("robot")).exists()
    assert not HourTotal.objects.filter(person__lt=0).exists()
    assert audit() == []
    compact_hours()
    assert audit() == []


def test_what_leaves_the_store_keeps_its_kind(ids: list[int], settings: Settings) -> None:
    Identity.objects.get_or_create(pk=1)
    views_of(ids)
    count()
    settings.COUNTERS_KEEP_DAYS = 1
    Identity.objects.update(epoch=F("epoch") + 48)
    remove_due()
    assert by_kind(Base) == {"views": 28, "person": 21, "robot": 6, "library": 1}
    view({LABEL: ids[:1]}, agent=seen(HIDDEN))
    count()
    decide(HIDDEN, Kind.ROBOT)

    reclassify()

    assert by_kind() == {"views": 29, "person": 21, "robot": 7, "library": 1}
    assert audit() == []
    assert dict(rollups()) == counted_from_the_start()


def test_nothing_leaves_the_store_before_it_is_corrected(
    ids: list[int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Identity.objects.get_or_create(pk=1)
    monkeypatch.setattr(past, "CHUNK_EVENTS", 1)
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    settings.COUNTERS_KEEP_DAYS = 1
    Identity.objects.update(epoch=F("epoch") + 48)
    assert begin(None)

    assert remove_due() == 0
    assert "reclassification" in retention().held_up_by
    read = past._read

    def remove_and_read(*arguments: Any) -> Any:
        remove_due()
        return read(*arguments)

    monkeypatch.setattr(past, "_read", remove_and_read)
    finish()

    assert by_kind(Base)["robot"] == 6 + 12  # not yet the last segment, of which 4 are robots
    remove_due()
    assert by_kind(Base) == by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}
    assert audit() == []


def test_a_removal_that_has_read_the_verdicts_of_before_is_undone(
    ids: list[int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Identity.objects.get_or_create(pk=1)
    settings.COUNTERS_KEEP_DAYS = 1
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    Identity.objects.update(epoch=F("epoch") + 48)
    before = current()
    reclassify()

    with monkeypatch.context() as patch:
        patch.setattr("footfall.store.retain.current", lambda: before)
        assert remove_due() == 0
    remove_due()

    assert by_kind(Base) == by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}


def test_corrupt_segments_are_named_and_passed_over(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    data = Segment.objects.get(number=3).data  # 4 views of 3 contents by HIDDEN
    Segment.objects.filter(number=3).update(data=b"?")

    with pytest.raises(CommandError, match="segments 3 cannot be read"):
        call_command("counters", "reclassify")

    assert by_kind()["robot"] == 6 + 4
    assert "segments 3 cannot be read" in Correction.objects.latest("pk").text
    Segment.objects.filter(number=3).update(data=data, corrupt_at=None)
    assert any("person +4, robot -4" in line for line in audit())
    list(run_audit(Audit(), repair=True))
    assert by_kind()["robot"] == 22
    assert_rolled_up()


def test_two_at_once(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one goes on with it, and the first one says so."""
    monkeypatch.setattr(past, "CHUNK_EVENTS", 1)
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    read = past._read

    def read_late(*arguments: Any) -> Any:
        chunk = read(*arguments)
        monkeypatch.undo()
        reclassify()
        return chunk

    monkeypatch.setattr(past, "_read", read_late)
    with pytest.raises(CommandError, match="another process"):
        call_command("counters", "reclassify")

    assert by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}
    assert_rolled_up()


def test_one_that_was_interrupted_is_finished_first(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    decide(HIDDEN, Kind.MONITOR)
    with pytest.raises(Unfinished):
        begin(None)

    reclassify()

    assert by_kind() == {"views": 28, "person": 5, "robot": 6, "monitor": 16, "library": 1}
    assert Correction.objects.count() == 2
    assert_rolled_up()


def test_upkeep_goes_on_with_one_that_was_abandoned(
    ids: list[int], said: Callable[[], str]
) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    resume()
    assert by_kind()["robot"] == 6  # some process may be about to go on
    call_command("counters", "status")
    assert "a reclassification has still to correct 15 events" in said()
    assert any("reclassification is not finished" in line for line in audit())

    Reclassification.objects.update(touched_at=F("touched_at") - timedelta(minutes=6))
    keep_store()

    assert by_kind()["robot"] == 22
    assert_rolled_up()


def test_an_audit_finishes_one_that_was_abandoned(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    Reclassification.objects.update(touched_at=F("touched_at") - timedelta(minutes=6))

    assert audit() == []
    assert by_kind()["robot"] == 22


def test_one_that_has_lost_its_place_is_a_rebuild(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    Correcting.objects.filter(label=LABEL).update(number=2, key=5)

    with pytest.raises(CommandError, match=f"{HOURLY}: its place is not in the store"):
        call_command("counters", "reclassify")
    assert "position was lost" in Correction.objects.latest("pk").text
    keep_store()

    assert is_known(Projection.objects.get(name=HOURLY).position)
    assert by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}
    assert_rolled_up()


def test_a_projection_whose_position_is_lost_starts_over_with_new_verdicts(
    ids: list[int],
) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    Projection.objects.filter(name=HOURLY).update(key=7)
    reclassify()
    keep_store()

    assert by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}
    assert_rolled_up()


def test_a_position_that_is_lost_meanwhile(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    Projection.objects.filter(name=HOURLY).update(key=7)
    keep_store()

    assert by_kind() == {"views": 28, "person": 5, "robot": 22, "library": 1}
    reclassify()
    assert by_kind()["robot"] == 22
    assert_rolled_up()


def test_a_rebuild_of_before_begins_once_more(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has counted is by kinds of before."""
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    come_near = rebuild.__globals__["_come_near"]

    def come_near_late(*arguments: Any) -> Any:
        monkeypatch.undo()
        reclassify()
        return come_near(*arguments)

    monkeypatch.setattr("footfall.recount.rebuild._come_near", come_near_late)
    with pytest.raises(CommandError, match="agents were classified anew"):
        call_command("counters", "rebuild", HOURLY)
    assert by_kind()["robot"] == 22

    rebuild(HOURLY)
    assert by_kind()["robot"] == 22
    assert_rolled_up()


def test_a_projection_that_is_dropped_holds_nothing_up(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    drop(HOURLY, force=True)
    assert finish()

    assert not Reclassification.objects.filter(finished_at=None).exists()


def test_a_model_that_is_unknown_here_is_left_to_another_process(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    views_of(ids)
    view({"shop.item": [1]}, agent=seen(HIDDEN))
    count()
    last = Projection.objects.get(name=HOURLY).position
    number, key, events = last
    Projection.objects.filter(name="hourly:shop.item").update(number=number, key=key, events=events)
    decide(HIDDEN, Kind.ROBOT)

    with pytest.raises(CommandError, match="not known here, another"):
        call_command("counters", "reclassify")
    assert by_kind()["robot"] == 22
    with pytest.raises(CommandError, match="waits for models"):
        call_command("counters", "reclassify")
    drop("hourly:shop.item")
    call_command("counters", "reclassify")

    assert not Reclassification.objects.filter(finished_at=None).exists()


def test_new_projections_go_on_with_the_present_verdicts(
    ids: list[int], page: Any, said: Callable[[], str]
) -> None:
    view({LABEL: ids[:1]}, agent=seen(HIDDEN))
    count()
    decide(HIDDEN, Kind.ROBOT)
    call_command("counters", "reclassify")
    view({"pages.page": [page.pk]}, agent=seen(HIDDEN))
    count()

    assert by_kind() == {"views": 2, "robot": 2}
    assert "1 agents: 1 views from person to robot" in said()


def test_a_row_that_an_old_process_has_opened_is_set_right_by_a_rebuild(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    reclassify()
    Projection.objects.filter(name=HOURLY).update(verdicts=0)
    view({LABEL: ids[:1]}, agent=seen(HIDDEN))
    assert HOURLY in apply_new_events(force=True).waiting
    assert any("waits for other verdicts" in line for line in audit())

    rebuild(HOURLY)
    count()

    assert by_kind()["robot"] == 23
    assert_rolled_up()


def test_there_is_nothing_to_do(said: Callable[[], str]) -> None:
    seen(BROWSER)
    call_command("counters", "reclassify")

    assert "nothing to do" in said()
    assert not Reclassification.objects.exists()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has one writer")
def test_it_holds_the_store_for_no_agent_that_another_has_locked(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Views of agents are counted in the order of their hashes."""
    views_of(ids)
    decide(HIDDEN, Kind.ROBOT)

    class Waits(Exception):
        pass

    def sleep(seconds: float) -> None:
        raise Waits

    # Not the module's own: threads of other tests sleep, too.
    monkeypatch.setattr("footfall.reclassify.changes.time", SimpleNamespace(sleep=sleep))
    with locked(Agent.objects.all()), pytest.raises(Waits):
        begin(None)

    assert begin(None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has one writer")
def test_others_store_and_count_while_it_writes_its_rows(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred thousand agents, that takes a while."""
    views_of(ids)
    decide(HIDDEN, Kind.ROBOT)

    def lock_nothing_that_is_locked() -> int:
        with transaction.atomic():
            StoreHead.objects.select_for_update(nowait=True).get()
            return len(Projection.objects.select_for_update(nowait=True))

    def written(*rows: Any) -> None:
        assert KeptKind.objects.exists()
        assert ReclassifiedAgent.objects.exists()
        assert run_at_once([lock_nothing_that_is_locked]) == [3]

    monkeypatch.setattr(changes, "_change_visitors", written)
    assert begin(datetime.fromtimestamp(AT / 1000, UTC))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has one writer")
@pytest.mark.parametrize("what", ["projection", "verdicts"])
def test_what_changes_while_it_writes_is_seen(
    ids: list[int], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    views_of(ids)
    decide(HIDDEN, Kind.ROBOT)

    def change() -> None:
        if what == "projection":
            view({"pages.page": [1]})
        else:
            Reclassification.objects.create(version=7, token=1, finished_at=timezone.now())

    def changed_meanwhile(*rows: Any) -> None:
        monkeypatch.undo()
        run_at_once([change])

    monkeypatch.setattr(changes, "_change_visitors", changed_meanwhile)
    found = begin(None)

    assert found
    assert Reclassification.objects.filter(finished_at=None).get() == found
    counting = Projection.objects.exclude(name__startswith="totals")
    assert {*counting.values_list("verdicts", flat=True)} == {found.version}

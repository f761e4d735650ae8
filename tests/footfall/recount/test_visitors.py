"""Days whose visitors are counted again: by a rebuild, and after a reclassification."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from io import StringIO
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F

from catalog.pages.models import Content
from footfall.models import (
    Agent,
    Audit,
    Correction,
    Identity,
    Kind,
    Projection,
    Reclassification,
    Segment,
    StoreHead,
    VisitorRecount,
    VisitorSketch,
)
from footfall.ops.audit.run import broken_projections, run_audit
from footfall.projections.rows import KINDS, lock
from footfall.projections.run import apply_new_events
from footfall.projections.visitors.noted import days_of, recount_after, recount_days
from footfall.reclassify import changes, past
from footfall.reclassify.changes import begin
from footfall.recount import visitors
from footfall.recount.upkeep import keep_store
from footfall.recount.visitors import recount_noted
from footfall.store.compact import compact
from footfall.store.read import is_known
from footfall.store.retain import remove_due
from loadtest.common.waiting import wait_until
from tests.support.agents import BROWSER, HIDDEN, decide, seen
from tests.support.concurrency import in_transaction
from tests.support.failpoints import RECLASSIFY, VISITORS
from tests.support.store import Stored, store
from tests.support.visits import (
    DAY,
    NEW,
    TODAY,
    counted,
    day_at,
    know_agents,
    people,
    visit,
)

pytestmark = pytest.mark.django_db
LABEL = "pages.content"
NAME = f"visitors:{LABEL}"
TOMORROW = TODAY + DAY
FIRST, SECOND, THIRD, ROBOT = people(4)


class Crash(BaseException):
    """Stands for a kill."""


@pytest.fixture(autouse=True)
def viewed(ids: list[int]) -> None:
    """On each of two days two people and a new robot, and the next day one more person."""
    know_agents()
    for at in (TODAY, TOMORROW):
        visit({LABEL: ids[:2]}, [FIRST, SECOND], at=at)
        visit({LABEL: ids[1:]}, [ROBOT], at=at, agent=NEW)
    visit({LABEL: ids[:1]}, [THIRD], at=TOMORROW)
    project()
    Identity.objects.get_or_create(pk=1)


def project() -> None:
    while apply_new_events(force=True).more:
        pass


def run(*options: str) -> str:
    out = StringIO()
    call_command("counters", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def truth(ids: list[int], robots: int) -> dict[int, dict[int, int]]:
    """Return the visitors by time of the day, and then by id."""
    today = {0: 2 + robots, ids[0]: 2, ids[1]: 2 + robots, ids[2]: robots}
    tomorrow = today | {0: 3 + robots, ids[0]: 3}
    return {
        at: {k: n for k, n in day.items() if n}
        for at, day in ((TODAY, today), (TOMORROW, tomorrow))
    }


def found() -> dict[int, dict[int, int]]:
    return {at: counted(at) for at in (TODAY, TOMORROW)}


def reclassify() -> None:
    """Let NEW be a robot, as a reclassification does; its past is not corrected yet."""
    with transaction.atomic():
        lock(LABEL)
        Agent.objects.filter(hash=NEW).update(kind=Kind.ROBOT)
        version = Reclassification.objects.count() + 7
        Reclassification.objects.create(version=version, token=1)
        Projection.objects.update(verdicts=version)


@contextmanager
def dying(place: str) -> Iterator[None]:
    """Die there."""

    def crash(name: str) -> None:
        if name == place:
            raise Crash

    with ExitStack() as patches:
        patches.enter_context(pytest.raises(Crash))
        for module in (visitors, past, changes):
            patches.enter_context(mock.patch.object(module, "failpoint", crash))
        yield


def spoil(ids: list[int]) -> None:
    VisitorSketch.objects.filter(target_id=ids[0]).delete()
    VisitorSketch.objects.filter(target_id=0).update(sketch=b"?", visitors=77)


def test_a_rebuild_counts_all_days_again(ids: list[int]) -> None:
    assert found() == truth(ids, robots=1)
    spoil(ids)

    assert "2 days have other visitors now" in run("rebuild", NAME)

    assert found() == truth(ids, robots=1)
    assert not VisitorRecount.objects.exists()
    assert not VisitorSketch.objects.filter(beside=True).exists()
    assert [(one.before, one.after) for one in Correction.objects.order_by("text")] == [
        (77, 3),
        (77, 4),
    ]
    assert "0 days have other visitors now" in run("rebuild", NAME)


def test_a_rebuild_since_a_day(ids: list[int]) -> None:
    spoil(ids)

    run("rebuild", NAME, "--since", str(day_at(TOMORROW)))

    assert found() == {TODAY: counted(TODAY), TOMORROW: truth(ids, robots=1)[TOMORROW]}
    assert counted(TODAY)[0] == 77


def test_visitors_that_no_event_explains_leave(ids: list[int]) -> None:
    other = TODAY - 5 * DAY
    visit({LABEL: ids}, [FIRST], at=other)
    project()
    Segment.objects.filter(first_at=other).delete()
    StoreHead.objects.update(number=F("number") - 1)
    Projection.objects.update(number=F("number") - 1)

    run("rebuild", NAME)

    assert counted(other) == {}


def test_a_reclassified_robot_leaves(ids: list[int]) -> None:
    reclassify()
    recount_days(LABEL, {day_at(TODAY), day_at(TOMORROW)})

    done = recount_noted()

    assert {*done.changed} == {day_at(TODAY), day_at(TOMORROW)}
    assert found() == truth(ids, robots=0)
    assert {*Correction.objects.values_list("kind", flat=True)} == {"reclassify"}


def test_only_the_days_that_are_noted_are_counted_again(ids: list[int]) -> None:
    reclassify()
    recount_days(LABEL, {day_at(TODAY)})
    recount_noted()

    assert found() == {
        TODAY: truth(ids, robots=0)[TODAY],
        TOMORROW: truth(ids, robots=1)[TOMORROW],
    }


def test_the_upkeep_counts_what_is_noted(ids: list[int]) -> None:
    reclassify()
    recount_days(LABEL, None)

    keep_store()

    assert found() == truth(ids, robots=0)


def test_a_reclassification_that_is_rolled_back_notes_nothing() -> None:
    with transaction.atomic():
        reclassify()
        recount_days(LABEL, None)
        transaction.set_rollback(True)

    assert not VisitorRecount.objects.exists()


def test_events_that_come_meanwhile_count(ids: list[int]) -> None:
    reclassify()
    recount_days(LABEL, None)
    with dying("after_visitors_commit"):
        recount_noted()
    (another,) = people(1, seed=9)
    visit({LABEL: ids[:1]}, [another], at=TOMORROW)
    project()
    visit({LABEL: ids[:1]}, [*people(2, seed=10), FIRST], at=TOMORROW)

    recount_noted()
    project()

    wanted = truth(ids, robots=0)
    assert found() == wanted | {TOMORROW: wanted[TOMORROW] | {0: 6, ids[0]: 6}}


def test_killed_at_any_step_it_goes_on(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Dies at each of them in turn, each time one step further."""
    monkeypatch.setattr(visitors, "CHUNK_EVENTS", 1)
    reclassify()
    for place in VISITORS["recount"]:
        with dying(place):
            run("rebuild", NAME)
        assert counted(TODAY) in [truth(ids, robots=n)[TODAY] for n in (0, 1)]

    keep_store()

    assert found() == truth(ids, robots=0)
    assert not VisitorRecount.objects.exists()
    assert not VisitorSketch.objects.filter(beside=True).exists()


@pytest.mark.parametrize("notes", [True, False])
def test_verdicts_that_change_meanwhile_begin_again(
    ids: list[int], notes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether what changed them notes the day, or others only."""
    monkeypatch.setattr(visitors, "CHUNK_EVENTS", 1)
    recount_days(LABEL, {day_at(TOMORROW)})
    with dying("after_visitors_commit"):
        recount_noted()
    reclassify()
    recount_days(LABEL, {day_at(TODAY)} | ({day_at(TOMORROW)} if notes else set()))

    recount_noted()

    assert found() == truth(ids, robots=0)


def test_verdicts_that_change_before_the_swap_begin_again(ids: list[int]) -> None:
    def crash(name: str) -> None:
        if name == "after_visitors_commit" and not Reclassification.objects.exists():
            reclassify()

    recount_days(LABEL, {day_at(TODAY)})
    with mock.patch.object(visitors, "failpoint", crash):
        recount_noted()

    assert counted(TODAY) == truth(ids, robots=0)[TODAY]


def test_another_process_takes_a_day_over(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    reclassify()
    recount_days(LABEL, {day_at(TODAY)})
    nested: list[object] = []

    def another(name: str) -> None:
        if name == "after_visitors_commit" and not nested:
            nested.append(name)
            nested.append(recount_noted().changed)

    with mock.patch.object(visitors, "failpoint", another):
        done = recount_noted()

    assert nested[1:] == [[day_at(TODAY)]]
    assert not done.changed
    assert counted(TODAY) == truth(ids, robots=0)[TODAY]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_swap_waits_for_events_that_are_being_applied(ids: list[int]) -> None:
    """Else their people would be in the sketches that it removes, and in no other."""

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    def recount() -> None:
        recount_noted()
        connection.close()

    reclassify()
    recount_days(LABEL, {day_at(TODAY)})
    with in_transaction(lambda: lock(LABEL, ["visitors"])):
        other = threading.Thread(target=recount)
        other.start()
        wait_until(waits, 30)
        assert counted(TODAY) == truth(ids, robots=1)[TODAY]
    other.join(30)

    assert counted(TODAY) == truth(ids, robots=0)[TODAY]


def test_a_damaged_sketch_is_counted_anew_by_a_rebuild(ids: list[int]) -> None:
    """One of the projection, or one that the recount has written before it was interrupted."""
    recount_days(LABEL, {day_at(TODAY)})
    with dying("after_visitors_commit"):
        recount_noted()
    visit({LABEL: ids[:2]}, [THIRD], at=TODAY)
    VisitorSketch.objects.filter(target_id=ids[0]).update(sketch=b"?")

    recount_noted()
    run("rebuild", NAME)

    wanted = truth(ids, robots=1)[TODAY]
    assert counted(TODAY) == wanted | {0: 4, ids[0]: 3, ids[1]: 4}


def test_people_of_a_damaged_sketch_are_not_kept(ids: list[int]) -> None:
    Segment.objects.filter(number=1).update(data=b"?")
    VisitorSketch.objects.filter(target_id=ids[1]).update(sketch=b"?")

    with pytest.raises(CommandError, match="nobody was taken out"):
        run("rebuild", NAME)

    assert counted(TODAY) == truth(ids, robots=1)[TODAY] | {ids[1]: 1}


def test_days_that_have_left_the_store_keep_what_they_had(ids: list[int], settings: object) -> None:
    settings.COUNTERS_KEEP_DAYS = 1  # type: ignore[attr-defined]
    Segment.objects.filter(number__gt=1).update(epoch=100)
    Identity.objects.update(epoch=100)
    assert remove_due() == 1  # a part of the first day
    reclassify()

    said = run("rebuild", NAME)

    assert "1 days keep what they had: a part of their events has left the store" in said
    assert found() == {
        TODAY: truth(ids, robots=1)[TODAY],
        TOMORROW: truth(ids, robots=0)[TOMORROW],
    }
    assert Correction.objects.filter(text__contains="it keeps what it had").count() == 1


def test_damaged_sketches_of_a_day_that_has_left_in_part_have_what_is_left(
    ids: list[int], settings: object
) -> None:
    settings.COUNTERS_KEEP_DAYS = 1  # type: ignore[attr-defined]
    Segment.objects.filter(number__gt=1).update(epoch=100)
    Identity.objects.update(epoch=100)
    assert remove_due() == 1  # the first two people
    of_today = VisitorSketch.objects.filter(day=day_at(TODAY))
    of_today.filter(target_id__in=[0, ids[1]]).update(sketch=b"?")
    visit({LABEL: ids[1:2]}, [THIRD], at=TODAY)
    project()

    keep_store()
    visit({LABEL: ids[1:2]}, [FIRST], at=TODAY)
    project()

    assert counted(TODAY) == {0: 4, ids[0]: 2, ids[1]: 3, ids[2]: 1}
    text = Correction.objects.get().text
    assert "2 damaged sketches have those of what is left" in text
    assert not VisitorRecount.objects.exists()


def test_an_audit_tells_of_sketches_that_are_wrong(ids: list[int]) -> None:
    rows = VisitorSketch.objects.order_by("day")
    assert list(run_audit(Audit())) == []
    rows.filter(target_id=ids[0], day=day_at(TODAY)).update(sketch=b"?")
    rows.filter(target_id=0, day=day_at(TOMORROW)).update(visitors=9)

    wrong = sorted(run_audit(Audit()))
    assert [line.partition(",")[0] for line in wrong] == [
        f"visitors of {LABEL} {ids[0]}",
        f"visitors of {LABEL} all targets",
    ]
    assert "9, but 4 in the sketch" in wrong[1]
    assert len(list(run_audit(Audit(), repair=True))) == 2

    assert found() == truth(ids, robots=1)
    assert list(run_audit(Audit())) == []


def test_nobody_is_taken_out_while_segments_cannot_be_read(ids: list[int]) -> None:
    Segment.objects.filter(number=1).update(data=b"?")

    with pytest.raises(CommandError, match="of 1 days nobody was taken out"):
        run("rebuild", NAME)

    assert found() == truth(ids, robots=1)
    run("discard", "1")
    run("rebuild", NAME)
    assert counted(TODAY) == {0: 1, ids[1]: 1, ids[2]: 1}


def test_nobody_is_taken_out_while_a_segment_is_missing(ids: list[int]) -> None:
    Segment.objects.filter(number=1).delete()

    with pytest.raises(CommandError, match="of 2 days nobody was taken out"):
        run("rebuild", NAME)

    assert found() == truth(ids, robots=1)


@pytest.mark.parametrize("mends", ["rebuild", "upkeep"])
def test_a_lost_position(ids: list[int], mends: str) -> None:
    """The store was restored from a backup: what it has not is not counted any more."""
    visit({LABEL: ids[2:]}, people(2, seed=3), at=TODAY)
    project()
    Segment.objects.filter(number=6).delete()
    last = Segment.objects.get(number=5)
    StoreHead.objects.update(number=5, key=last.key, events=F("events") - 2)
    others = Projection.objects.exclude(name=NAME)
    others.update(number=5, key=last.key, events=F("events") - 2)
    assert counted(TODAY)[ids[2]] == 3
    visit({LABEL: ids[:1]}, people(1, seed=4), at=TODAY)
    assert not is_known(Projection.objects.get(name=NAME).position)

    if mends == "rebuild":
        run("rebuild", NAME)
    else:
        keep_store()
    project()

    wanted = truth(ids, robots=1)
    assert found() == wanted | {TODAY: wanted[TODAY] | {0: 4, ids[0]: 3}}


def test_what_is_stored_after_a_position_is_noted(ids: list[int]) -> None:
    position = Projection.objects.get(name=f"hourly:{LABEL}").position
    other = TODAY - 9 * DAY
    visit({LABEL: ids}, [FIRST], at=other)

    recount_after(LABEL, position)

    assert [row.day for row in VisitorRecount.objects.all()] == [day_at(other)]


def test_events_with_a_wild_clock_are_days_of_their_own(ids: list[int]) -> None:
    wild = TODAY + 40_000 * DAY
    visit({LABEL: ids}, [FIRST, SECOND], at=[TODAY, wild])

    assert days_of(LABEL) == {day_at(at) for at in (TODAY, TOMORROW, wild)}


def test_compaction_takes_nothing_away(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footfall.store.compact.MIN_AGE", timedelta())
    monkeypatch.setattr("footfall.store.compact.GROWTH", 2)
    monkeypatch.setattr(visitors, "CHUNK_EVENTS", 1)
    reclassify()
    recount_days(LABEL, None)
    with dying("after_visitors_commit"):
        recount_noted()
    assert compact()

    recount_noted()

    assert found() == truth(ids, robots=0)


def test_dropping_the_projection_drops_what_was_noted(ids: list[int]) -> None:
    recount_days(LABEL, None)

    run("drop", NAME, "--force")

    assert not VisitorRecount.objects.exists()
    visit({LABEL: ids[:1]}, people(1, seed=4), at=TODAY)
    project()
    assert counted(TODAY)[0] == 4


def test_views_without_events_of_people_are_no_days() -> None:
    store([Stored(at=TODAY - 99 * DAY)])
    project()

    recount_days(LABEL, None)
    recount_noted()

    assert not counted(TODAY - 99 * DAY)
    assert Content.objects.exists()


# --- By the command -------------------------------------------------------------------------------


@pytest.fixture
def hidden(ids: list[int]) -> None:
    """The new robot looks like a browser, and an operator has found out."""
    agent = seen(HIDDEN)
    for at in (TODAY, TOMORROW):
        visit({LABEL: ids[1:]}, people(5, seed=8), at=at, agent=agent)
    decide(HIDDEN, Kind.ROBOT)


@pytest.mark.parametrize("ahead", ["both", "none", "hourly", "visitors", "counted again"])
def test_reclassify_takes_the_robot_out(ids: list[int], hidden: None, ahead: str) -> None:
    """Wherever the projections are, and if days were counted beyond that."""
    kinds = {"both": KINDS, "none": [], "counted again": []}.get(ahead, [ahead])
    apply_new_events(force=True, kinds=kinds)
    if ahead == "counted again":
        recount_days(LABEL)
        recount_noted()
    assert counted(TODAY)[ids[2]] == (1 if ahead in ("none", "hourly") else 6)

    run("reclassify")
    project()

    assert found() == truth(ids, robots=1)
    assert not VisitorRecount.objects.exists()


@pytest.mark.parametrize("places", [RECLASSIFY, VISITORS["recount"][2:]], ids=["past", "visitors"])
def test_reclassify_goes_on_wherever_it_was_killed(
    ids: list[int], hidden: None, places: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies at each place in turn, each time one step further."""
    monkeypatch.setattr(past, "ALIVE", timedelta())
    monkeypatch.setattr(past, "CHUNK_EVENTS", 1)
    monkeypatch.setattr(visitors, "CHUNK_EVENTS", 1)
    project()
    for place in places:
        with dying(place):
            run("reclassify")

    keep_store()
    project()

    assert found() == truth(ids, robots=1)
    assert not VisitorRecount.objects.exists()


@pytest.mark.parametrize("mends", ["drop", "position"])
def test_visitors_follow_also_if_rollups_do_not(ids: list[int], hidden: None, mends: str) -> None:
    """The past of `hourly` is not corrected then."""
    project()
    begin(None)
    if mends == "drop":
        run("drop", f"hourly:{LABEL}", "--force")
    else:
        Projection.objects.filter(name=f"hourly:{LABEL}").update(key=5)
        run("rebuild", f"hourly:{LABEL}")

    recount_noted()

    assert found() == truth(ids, robots=1)


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "dropped"])
def test_without_a_projection_hourly_visitors_are_reclassified_too(
    ids: list[int], is_lost: bool
) -> None:
    """A reclassification corrects no rollups then."""
    hourly = Projection.objects.filter(name=f"hourly:{LABEL}")
    if is_lost:
        hourly.update(key=-1)
    else:
        hourly.delete()
    decide(BROWSER.replace("140", "141"), Kind.ROBOT)

    assert past.reclassify()
    recount_noted()

    assert found() == truth(ids, robots=0)


def test_a_projection_with_other_verdicts_is_found_and_a_rebuild_sets_it_right(
    ids: list[int],
) -> None:
    Projection.objects.filter(name=NAME).update(verdicts=99)
    visit({LABEL: ids[:1]}, people(3, seed=2), at=TODAY)
    project()
    assert found() == truth(ids, robots=1)

    assert any(NAME in line for line in broken_projections())
    run("rebuild", NAME)
    visit({LABEL: ids[2:]}, people(4, seed=2)[3:], at=TODAY)
    project()

    assert not [*broken_projections()]
    today = {0: 2 + 1 + 4, ids[0]: 2 + 3, ids[1]: 2 + 1, ids[2]: 1 + 1}
    assert found()[TODAY] == today

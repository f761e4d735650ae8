"""A counter that counts people, whatever becomes of agents, events and the policy itself."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F, Sum
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content
from footfall.conf import clear_cached
from footfall.flush import flush_all, project
from footfall.models import (
    Adjustment,
    AgentRule,
    Audit,
    Carried,
    Correction,
    Identity,
    Kind,
    Projection,
    Rollup,
)
from footfall.models.querysets import CountableQuerySet
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import differences, run_audit
from footfall.policies import Everything, People, Policy
from footfall.projections import rows, totals
from footfall.projections.run import apply_new_events
from footfall.projections.series import Interval, series
from footfall.reclassify.changes import begin
from footfall.reclassify.past import reclassify
from footfall.record import record
from footfall.recount import comparison
from footfall.recount import rebuild as room
from footfall.recount.adopt import adopt
from footfall.recount.gap import Incomparable
from footfall.recount.rebuild import rebuild, rebuild_stale
from footfall.recount.upkeep import keep_store
from footfall.store.retain import remove_due
from footfall.viewers import memory
from footfall.viewers.addresses import networks
from tests.support.agents import BROWSER, HIDDEN, ROBOT, assert_rolled_up, decide, seen
from tests.support.crashes import dying
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
TOTALS = f"totals:{LABEL}"


@pytest.fixture(autouse=True)
def people(counted_by: Callable[[Policy], None]) -> None:
    counted_by(People())


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out


def count(*kinds: str) -> None:
    while (project(force=True, kinds=kinds) if kinds else project(force=True)).more:
        pass


def audit(**how: Any) -> list[str]:
    return list(run_audit(Audit(), **how))


def counters() -> list[int]:
    """Return those of `ids`: no content is newer."""
    return list(Content.objects.order_by("pk").values_list("counter", flat=True))[-3:]


def views_of(ids: list[int]) -> None:
    """5 of a browser, 3 of a robot, 4 of one that looks like a browser, 1 without an agent."""
    for hour, (string, times) in enumerate([(BROWSER, 5), (ROBOT, 3), (HIDDEN, 4)]):
        view({LABEL: ids[: 1 + hour]}, times, at=AT + 9 * hour * HOUR, agent=seen(string))
    view({LABEL: ids})


def test_a_counter_counts_people(ids: list[int]) -> None:
    views_of(ids)
    count()

    assert counters() == [9, 4, 4]
    assert audit() == audit(quick=True) == []


def test_what_is_of_other_kinds_alone_moves_the_position(ids: list[int]) -> None:
    view({LABEL: ids}, 3, agent=seen(ROBOT))
    count()

    assert counters() == [0, 0, 0]
    assert Projection.objects.get(name=TOTALS).number == 1
    assert_rolled_up()


def test_other_models_count_everything_in_the_same_batch(ids: list[int], page: Any) -> None:
    view({LABEL: ids[:1], "pages.page": [page.pk]}, 3, agent=seen(ROBOT))
    count()
    page.refresh_from_db()

    assert (page.counter, counters()[0]) == (3, 0)


def test_counters_and_rollups_apart_are_compared(ids: list[int]) -> None:
    views_of(ids)
    for kind in ("totals", "hourly"):
        apply_new_events(force=True, kinds=[kind], max_events=5)
        assert list(differences()) == []
    count("totals")
    assert list(differences()) == []
    Content.objects.filter(pk=ids[0]).update(counter=13)  # as if robots were counted

    assert [(one.counter, one.expected) for one in differences()] == [(13, 9)]
    assert len(audit(repair=True)) == 1
    assert counters() == [9, 4, 4]


def test_agents_are_classified_anew(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    decide(ROBOT, Kind.PERSON)
    call_command("counters", "reclassify")

    assert counters() == [8, 3, 0]
    assert audit() == audit(quick=True) == []
    view({LABEL: ids}, agent=seen(HIDDEN))
    view({LABEL: ids}, agent=seen(ROBOT))
    count()
    assert counters() == [9, 4, 1]
    assert_rolled_up()


def test_since_a_day(ids: list[int]) -> None:
    views_of(ids)
    view({LABEL: ids}, 2, at=AT + 30 * HOUR, agent=seen(HIDDEN))
    count()
    decide(HIDDEN, Kind.ROBOT)
    reclassify(datetime.fromtimestamp(AT / 1000, UTC) + timedelta(days=1))
    rebuild_stale()

    assert counters() == [9, 4, 4]
    assert audit() == []


def test_upkeep_finishes_what_was_killed(ids: list[int], said: Callable[[], str]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    reclassify()
    assert counters() == [9, 4, 4]
    assert any("counted again" in line for line in audit())
    call_command("counters", "status")
    assert "its counters are being counted again" in said()
    with pytest.raises(Incomparable):
        list(differences())

    keep_store()
    assert counters() == [5, 0, 0]
    assert_rolled_up()


def test_views_that_come_meanwhile(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of before the correction of a chunk, and those of after it."""
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    monkeypatch.setattr(room, "CHUNK_SIZE", 1)
    ranges, rounds = comparison.ranges, 0

    def busy(*arguments: Any) -> Iterator[tuple[int, int]]:
        nonlocal rounds
        for one in ranges(*arguments):
            rounds += 1
            for string in (BROWSER, HIDDEN, ROBOT):
                view({LABEL: ids}, agent=seen(string))
            count()
            yield one

    monkeypatch.setattr(room, "ranges", busy)
    reclassify()
    assert rebuild_stale() == [TOTALS]
    count()

    assert rounds > 3
    assert counters() == [5 + rounds, rounds, rounds]
    assert_rolled_up()


def test_agents_that_are_classified_while_a_rebuild_runs(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    reclassify()
    correct = room._correct_counters

    def once_more(*arguments: Any) -> Any:
        monkeypatch.setattr(room, "_correct_counters", correct)
        decide(BROWSER, Kind.MONITOR)
        reclassify()
        return correct(*arguments)

    monkeypatch.setattr(room, "_correct_counters", once_more)
    assert rebuild_stale() == []
    monkeypatch.setattr(room, "ALIVE", timedelta())
    assert rebuild_stale() == [TOTALS]

    assert counters() == [0, 0, 0]
    assert_rolled_up()


def test_a_batch_of_verdicts_of_before_is_not_counted(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    views_of(ids)
    decide(HIDDEN, Kind.ROBOT)
    claim = rows.claim

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(totals, "claim", claim)
        reclassify()
        return claim(*arguments)

    monkeypatch.setattr(totals, "claim", late)
    assert TOTALS in apply_new_events(force=True, kinds=["totals"]).waiting
    assert counters() == [0, 0, 0]
    count()
    rebuild_stale()

    assert counters() == [5, 0, 0]
    assert_rolled_up()


def test_what_leaves_the_store_keeps_its_kind(ids: list[int], settings: Settings) -> None:
    Identity.objects.get_or_create(pk=1)
    settings.COUNTERS_KEEP_DAYS = 1
    views_of(ids)
    count()
    Identity.objects.update(epoch=F("epoch") + 48)
    remove_due()
    view({LABEL: ids}, agent=seen(HIDDEN))
    count()
    assert counters() == [10, 5, 5]
    assert audit() == []
    decide(HIDDEN, Kind.ROBOT)
    call_command("counters", "reclassify")

    assert counters() == [9, 4, 4]
    assert audit() == audit(quick=True) == []


def test_what_was_adopted_is_counted(ids: list[int]) -> None:
    Content.objects.filter(pk=ids[0]).update(counter=100)
    views_of(ids)
    count()
    assert counters() == [109, 4, 4]
    adopt(LABEL)

    assert audit() == []
    rebuild(TOTALS)
    assert counters() == [109, 4, 4]
    Content.objects.filter(pk=ids[0]).update(counter=9)
    audit(repair=True)
    assert counters() == [109, 4, 4]


def test_a_hit_that_is_deleted_by_hand_stays_so(ids: list[int]) -> None:
    """django-hitcount's: deleting a hit lowers the count."""
    views_of(ids)
    count()
    adjust(Content, ids[0], by=-2, why="a colleague's")
    decide(ROBOT, Kind.PERSON)
    call_command("counters", "reclassify")

    assert counters() == [10, 7, 4]
    assert Adjustment.objects.count() == 1
    assert audit() == []


def test_hits_in_the_last_period(ids: list[int]) -> None:
    """django-hitcount's `hits_in_last(days=1)`: of all, and of those people."""
    now = int(time.time() * 1000)
    for hours, string, times in ((49, BROWSER, 5), (2, BROWSER, 3), (2, ROBOT, 4), (3, BROWSER, 1)):
        view({LABEL: ids[:2]}, times, at=now - hours * HOUR, agent=seen(string))
    view({LABEL: ids[2:]}, at=now - 50 * HOUR, agent=seen(BROWSER))
    count()

    until = timezone.now()
    since = until - timedelta(days=1)
    assert counters() == [9, 9, 1]
    rows: Any = CountableQuerySet.of(Content.objects.filter(pk__in=ids))
    viewed = rows.with_views(since=since).order_by("pk")
    assert [one.views for one in viewed] == [8, 8, 0]
    points = series(viewed[0], Interval.HOUR, since, until)
    assert sum(point.people for point in points) == 4
    assert sorted(one.pk for one in rows.most_viewed(days=1)) == ids[:2]


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Operators have said that some addresses are their own monitors, and an agent a robot."""
    decide(HIDDEN, Kind.ROBOT)
    AgentRule.objects.create(match="addresses", value="203.0.113.0/24", kind=Kind.MONITOR)
    ranges = AgentRule.objects.filter(match="addresses").values_list("value", flat=True)
    known = memory.read()._replace(monitors=networks(ranges))
    monkeypatch.setattr(memory, "read", lambda: known)
    clear_cached()
    yield
    clear_cached()


@pytest.mark.usefixtures("own_log", "blocked")
def test_a_blocked_address_or_agent(page: Any, contents: list[Content], rf: RequestFactory) -> None:
    """django-hitcount's BlacklistIP and BlacklistUserAgent."""
    for address, agent in (
        ("203.0.113.7", BROWSER),
        ("203.0.113.200", BROWSER),
        ("192.0.2.7", HIDDEN),
        ("192.0.2.7", BROWSER),
    ):
        request = rf.get("/", REMOTE_ADDR=address, headers={"User-Agent": agent})
        record(page, contents, request=request)
    flush_all()

    found = Content.objects.filter(pk__in=[one.pk for one in contents])
    assert {one.counter for one in found} == {1}
    page.refresh_from_db()
    assert page.counter == 4  # pages count every read
    assert audit() == []


# --- Another policy -------------------------------------------------------------------------------


def test_a_policy_that_is_new_is_applied_to_the_past(
    ids: list[int], counted_by: Callable[[Policy], None], said: Callable[[], str]
) -> None:
    counted_by(Everything())
    views_of(ids)
    count()
    assert counters() == [13, 8, 5]
    assert audit() == []
    counted_by(People())
    call_command("counters", "audit")
    assert "by another policy, people, those of before by everything" in said()
    views_of(ids)
    count()
    assert counters() == [13 + 9, 8 + 4, 5 + 4]
    call_command("counters", "status")
    assert f"`counters rebuild {TOTALS}` applies it to the past" in said()
    call_command("counters", "audit", "--repair")
    call_command("counters", "audit", "--quick")
    assert counters() == [13 + 9, 8 + 4, 5 + 4]
    said()

    call_command("counters", "rebuild", TOTALS)
    assert counters() == [18, 8, 8]
    assert_rolled_up()
    call_command("counters", "status")
    assert "policy" not in said()
    assert "3 counters corrected" in Correction.objects.get().text


def test_and_back(ids: list[int], counted_by: Callable[[Policy], None]) -> None:
    views_of(ids)
    count()
    counted_by(Everything())
    rebuild(TOTALS)

    assert counters() == [13, 8, 5]
    assert audit() == audit(quick=True) == []


def test_a_worker_with_the_code_of_before_is_noticed(
    ids: list[int], counted_by: Callable[[Policy], None]
) -> None:
    views_of(ids)
    count()
    counted_by(Everything())
    views_of(ids)
    count()
    counted_by(People())

    (line,) = audit()
    assert "new views are counted by another policy, people, others not" in line
    assert audit(quick=True) == [line]
    rebuild(TOTALS)
    assert counters() == [18, 8, 8]
    assert_rolled_up()


def test_a_worker_with_the_code_of_before_while_a_rebuild_runs(
    ids: list[int], counted_by: Callable[[Policy], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_by(Everything())
    views_of(ids)
    count()
    counted_by(People())
    correct = room._correct_counters

    def meanwhile(*arguments: Any) -> Any:
        counted_by(Everything())
        views_of(ids)
        count()
        counted_by(People())
        return correct(*arguments)

    monkeypatch.setattr(room, "_correct_counters", meanwhile)
    with pytest.raises(CommandError, match="another policy"):
        call_command("counters", "rebuild", TOTALS)
    monkeypatch.setattr(room, "_correct_counters", correct)
    rebuild(TOTALS)

    assert counters() == [18, 8, 8]
    assert_rolled_up()


def test_a_policy_that_has_changed_is_no_reason_to_reclassify(
    ids: list[int], counted_by: Callable[[Policy], None]
) -> None:
    """Only who says so applies it to the past."""
    counted_by(Everything())
    views_of(ids)
    count()
    counted_by(People())
    decide(HIDDEN, Kind.ROBOT)
    call_command("counters", "reclassify")
    keep_store()
    assert counters() == [13, 8, 5]
    view({LABEL: ids}, agent=seen(HIDDEN))
    count()
    assert counters() == [13, 8, 5]

    rebuild(TOTALS)
    assert counters() == [5, 0, 0]
    assert_rolled_up()


def test_a_model_that_the_ingest_does_not_know(
    ids: list[int], counted_by: Callable[[Policy], None]
) -> None:
    """Its worker sets the policy when it counts for the first time."""
    counted_by(Everything())
    views_of(ids)
    counted_by(People())
    decide(HIDDEN, Kind.ROBOT)
    reclassify()
    count()

    assert counters() == [5, 0, 0]
    assert_rolled_up()


def test_what_is_carried_over(ids: list[int]) -> None:
    views_of(ids)
    count()
    with transaction.atomic():
        kind = Rollup.objects.values_list("content_type_id", flat=True)[0]
        Carried.objects.create(content_type_id=kind, target_id=ids[0], views=2, since=AT)
        Content.objects.filter(pk=ids[0]).update(counter=7)
    assert audit() == audit(quick=True) == []
    decide(HIDDEN, Kind.ROBOT)
    call_command("counters", "reclassify")
    count()

    assert counters() == [5, 0, 0]
    assert_rolled_up()
    assert Rollup.objects.aggregate(n=Sum("person"))["n"] == 5


def test_begun_and_not_finished_reclassification(ids: list[int]) -> None:
    views_of(ids)
    count()
    decide(HIDDEN, Kind.ROBOT)
    begin(None)
    view({LABEL: ids}, agent=seen(HIDDEN))
    count()
    assert rebuild_stale() == [TOTALS]
    assert counters() == [5, 0, 0]
    with pytest.raises(Incomparable, match="reclassification is not finished"):
        list(differences())
    reclassify()

    assert audit() == audit(quick=True) == []


def test_views_of_others_after_the_boundary_explain_a_counter(
    ids: list[int], counted_by: Callable[[Policy], None]
) -> None:
    """Nothing of the target is recounted up to there."""
    counted_by(Everything())
    view({LABEL: ids[1:]}, agent=seen(ROBOT))
    count("totals")
    with dying("after_recount_commit"):
        audit()
    view({LABEL: ids[:1]}, agent=seen(ROBOT))
    count()
    counted_by(People())
    rebuild(TOTALS)

    assert counters() == [0, 0, 0]
    assert_rolled_up()

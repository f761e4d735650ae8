"""An audit counts again; a repair sets what is wrong, and takes away nothing it cannot explain."""

import signal
from contextlib import suppress
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from catalog.pages.models import Content
from footfall.common.failpoints import ENVIRONMENT
from footfall.flush import project
from footfall.models import (
    Adjustment,
    Audit,
    Base,
    Correction,
    HourTotal,
    Projection,
    Recount,
    Recounted,
    Rollup,
    Segment,
    StoreHead,
)
from footfall.ops.audit.run import run_audit
from footfall.projections.run import apply_new_events
from footfall.recount import counting
from footfall.recount.upkeep import keep_store
from footfall.registry import content_type_of
from footfall.store import read
from footfall.store.retain import retention
from tests.support import processes
from tests.support.processes import Done, manage
from tests.support.projections import rolled_up, view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"


@pytest.fixture(autouse=True)
def viewed(ids: list[int]) -> None:
    """The first two contents have three views, in two hours; the third one has none."""
    view({LABEL: ids[:2]}, times=2)
    view({LABEL: ids[:2]}, at=AT + 5 * HOUR)
    project(force=True)


def audit(*options: str) -> str:
    out = StringIO()
    call_command("counters", "audit", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def found(*, quick: bool = False) -> list[str]:
    return list(run_audit(Audit(), quick=quick))


def counters() -> list[int]:
    """Return those of the three contents, which are the newest."""
    return list(Content.objects.order_by("-pk").values_list("counter", flat=True)[:3])[::-1]


def set_counter(pk: int, views: int) -> None:
    Content.objects.filter(pk=pk).update(counter=views)


def test_what_was_only_counted_is_clean() -> None:
    assert "clean" in audit()
    assert not Recount.objects.exists()
    assert not Recounted.objects.exists()


def test_a_counter_is_mended_in_both_directions(ids: list[int]) -> None:
    wrong = [(ids[0], 0), (ids[1], 8)]
    for pk, counter in wrong:
        set_counter(pk, counter)

    said = audit("--repair")

    for pk, counter in wrong:
        assert f"{LABEL} {pk}: counter {counter}, events say 3; set to 3" in said
    assert counters() == [3, 3, 0]
    assert "clean" in audit()
    corrections = Correction.objects.order_by("target_id")
    assert {(one.kind, one.label) for one in corrections} == {("repair", LABEL)}
    assert [(one.target_id, one.before, one.after) for one in corrections] == [
        (pk, counter, 3) for pk, counter in wrong
    ]
    assert {one.audit for one in corrections} == {Audit.objects.first()}


def test_counters_and_rollups_that_are_wrong_together_are_found(ids: list[int]) -> None:
    set_counter(ids[0], 1)
    Rollup.objects.filter(target_id=ids[0], hour__hour=0).delete()
    HourTotal.objects.filter(views=4).update(views=2)
    assert not found(quick=True)

    lines = found()

    assert f"{LABEL} {ids[0]}: counter 1, events say 3" in lines
    assert f"{LABEL} {ids[0]}: the rollups of 2025-11-21 have 2 views too few" in lines
    audit("--repair")
    assert counters() == [3, 3, 0]
    assert rolled_up(Content.objects.get(pk=ids[0])) == 3
    assert "clean" in audit()


def test_views_in_the_wrong_hour_are_mended(ids: list[int]) -> None:
    row = Rollup.objects.filter(target_id=ids[0], hour__hour=5)
    row.update(hour=F("hour") + timedelta(hours=1))

    assert found() == [f"{LABEL} {ids[0]}: the rollups of 2025-11-21 have views in other hours"]
    audit("--repair")

    hours = Rollup.objects.filter(target_id=ids[0]).order_by("hour")
    assert [(one.hour.hour, one.views) for one in hours] == [(0, 2), (5, 1)]


def test_hours_that_were_compacted_into_days_are_equal(ids: list[int]) -> None:
    kept = Rollup.objects.filter(target_id=ids[0]).order_by("hour")
    kept.last().delete()  # type: ignore[union-attr]
    kept.update(views=3)

    assert "clean" in audit()


def test_views_of_deleted_targets_may_stand_in_one_row(ids: list[int]) -> None:
    Content.objects.filter(pk=ids[0]).delete()
    assert "clean" in audit()
    Rollup.objects.filter(target_id=ids[0]).update(target_id=0)
    assert "clean" in audit()

    Rollup.objects.filter(target_id=0, hour__hour=0).update(views=7)

    assert f"{LABEL} deleted ones: the rollups of 2025-11-21 have 5 views too many" in found()
    audit("--repair")
    assert "clean" in audit()


@pytest.mark.parametrize("kind", ["totals", "hourly"])
def test_projections_may_be_anywhere(
    ids: list[int], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 1)
    for _ in range(3):
        view({LABEL: ids})
    apply_new_events(force=True, kinds=[kind])

    assert "clean" in audit()

    set_counter(ids[0], 77)
    audit("--repair")
    project(force=True)
    assert counters() == [6, 6, 3]
    assert "clean" in audit()


def test_views_that_have_left_the_store_are_known(ids: list[int]) -> None:
    Segment.objects.update(epoch=-(10**6))
    keep_store()
    assert not Segment.objects.exists()
    assert Base.objects.count() == 2  # by the day

    assert "clean" in audit()
    set_counter(ids[0], 1)
    audit("--repair")
    assert counters() == [3, 3, 0]


def test_adjustments_are_part_of_the_sum(ids: list[int]) -> None:
    kind = content_type_of(Content)
    Adjustment.objects.create(content_type=kind, target_id=ids[0], amount=-2, reason="a robot")

    audit("--repair")

    assert counters() == [1, 3, 0]


def test_a_counter_of_which_nothing_is_known_is_not_wiped(ids: list[int]) -> None:
    set_counter(ids[2], 1_200)

    with pytest.raises(CommandError, match="1 counters differ"):
        audit("--repair")

    assert counters() == [3, 3, 1_200]
    (line,) = Audit.objects.get().lines
    assert line.endswith("nothing explains the rest; `counters adopt pages.content` keeps it")


@pytest.mark.parametrize("before", ["yes", "unknown"])
def test_a_model_that_had_counts_when_its_counting_began_is_not_wiped(
    ids: list[int], before: str
) -> None:
    Projection.objects.filter(name=f"totals:{LABEL}").update(counted_before=before)
    set_counter(ids[0], 1_203)
    set_counter(ids[1], 2)

    with pytest.raises(CommandError, match="2 counters differ"):
        audit("--repair")

    assert counters() == [1_203, 3, 0]


def test_it_is_noted_when_the_counting_begins(ids: list[int]) -> None:
    name = f"totals:{LABEL}"
    assert Projection.objects.get(name=name).counted_before == "no"
    for model in (Projection, Segment, StoreHead):
        model.objects.all().delete()
    view({LABEL: ids[:1]})
    project(force=True)

    assert Projection.objects.get(name=name).counted_before == "yes"


def test_a_clean_audit_after_an_upgrade_notes_that_all_is_explained(ids: list[int]) -> None:
    Projection.objects.filter(name=f"totals:{LABEL}").update(counted_before="unknown")
    assert "clean" in audit()
    set_counter(ids[0], 8)

    audit("--repair")

    assert counters() == [3, 3, 0]


@pytest.mark.parametrize("is_missing", [True, False])
def test_nothing_is_taken_away_while_the_store_is_not_whole(
    ids: list[int], is_missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_remembered", read.Remembered())
    if is_missing:
        Segment.objects.filter(number=1).delete()
    else:
        Segment.objects.filter(number=1).update(data=b"?", corrupt_at=timezone.now())
    set_counter(ids[1], 0)
    Rollup.objects.filter(target_id=ids[1]).delete()

    with pytest.raises(CommandError):
        audit("--repair")

    assert counters() == [3, 1, 0]
    assert rolled_up(Content.objects.get(pk=ids[0])) == 3
    lines = Audit.objects.get().lines
    assert not [line for line in lines if line.startswith(f"{LABEL} {ids[0]}:")]
    assert [line for line in lines if line.startswith(f"{LABEL}: segments 1 cannot be read; 1 ")]


def kill(environment: dict[str, str], failpoint: str, *command: str) -> Done:
    """Run a command that dies at the failpoint."""
    return processes.run({**environment, ENVIRONMENT: failpoint}, manage, "counters", *command)


class Killed(BaseException):
    pass


def test_an_audit_that_was_interrupted_goes_on(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 1)
    read_again: list[int] = []
    load = read.load

    def loading(segment: Segment) -> object:
        read_again.append(segment.number)
        if len(read_again) == 2:
            raise Killed
        return load(segment)

    monkeypatch.setattr(counting, "load", loading)
    with pytest.raises(Killed):
        audit()

    assert "clean" in audit()
    assert read_again == [1, 2, 2]


def test_an_audit_that_another_process_takes_over_stops(ids: list[int]) -> None:
    steps: list[str] = []

    def take_over(label: str, done: int, of: int) -> None:
        steps.append(label)
        if len(steps) == 1:
            Recount.objects.filter(label=LABEL).update(token=1)

    lines = list(run_audit(Audit(), progress=take_over))

    assert [line for line in lines if "another process recounts it" in line]


def test_an_abandoned_recount_is_begun_anew(ids: list[int]) -> None:
    position = {"number": 0, "key": 0, "events": 0}
    boundary = {f"boundary_{name}": value for name, value in position.items()}
    old = Recount(label=LABEL, kind="totals", token=1, **position, **boundary, epoch=-25)
    old.save()
    assert "clean" in audit()

    old.save()
    assert counting.drop_abandoned() == 1


@pytest.mark.django_db(transaction=True)
def test_a_repair_that_is_killed_goes_on(ids: list[int], environment: dict[str, str]) -> None:
    """Dies at each failpoint in turn, each time one step further."""
    set_counter(ids[0], 9)

    for failpoint, repaired in (
        ("before_recount_commit", 0),
        ("after_recount_commit", 0),
        ("before_repair_commit", 0),
        ("after_repair_commit", 1),
    ):
        died = kill(environment, failpoint, "audit", "--repair")
        assert died.returncode == -signal.SIGKILL
        assert Correction.objects.count() == repaired

    audit("--repair")
    assert counters() == [3, 3, 0]
    assert Correction.objects.count() == 1


@pytest.mark.parametrize("times", [0, 1])
def test_a_row_that_a_dump_has_brought_keeps_its_counter(ids: list[int], times: int) -> None:
    content = Content.objects.get(pk=ids[2])
    content.pk, content.counter = ids[2] + 1, 500
    content.save_base(raw=True)
    for _ in range(times):
        view({LABEL: [ids[2] + 1]})
    project(force=True)

    with suppress(CommandError):
        audit("--repair")

    assert Content.objects.get(pk=ids[2] + 1).counter == 500 + times
    call_command("counters", "adopt", LABEL)
    assert "clean" in audit()


def test_retention_does_not_pass_a_segment_that_is_missing(ids: list[int]) -> None:
    """Else nobody would know any more that its views were counted rightly."""
    view({LABEL: ids[:2]}, at=AT + 9 * HOUR)
    project(force=True)
    Segment.objects.order_by("number")[1].delete()
    Segment.objects.update(epoch=-(10**6))
    keep_store()
    assert Segment.objects.count() == 1
    assert "is missing" in retention().held_up_by

    with suppress(CommandError):
        audit("--repair")

    assert counters() == [4, 4, 0]

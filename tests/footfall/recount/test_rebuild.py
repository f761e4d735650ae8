"""A projection is computed again, chunk by chunk, while views keep coming and processes die."""

import itertools
import signal
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from catalog.pages.models import Content
from footfall.common.failpoints import ENVIRONMENT
from footfall.flush import project
from footfall.models import (
    Carried,
    Correction,
    HourTotal,
    Projection,
    Recount,
    Recounted,
    Rollup,
    Segment,
    StoreHead,
)
from footfall.projections.run import apply_new_events
from footfall.recount import counting, rebuild
from footfall.recount.upkeep import keep_store
from footfall.registry import content_type_of
from footfall.store import read
from tests.support import processes
from tests.support.concurrency import locked, meanwhile
from tests.support.processes import Done, manage
from tests.support.projections import rolled_up, view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
TOTALS, HOURLY = f"totals:{LABEL}", f"hourly:{LABEL}"


@pytest.fixture(autouse=True)
def viewed(ids: list[int]) -> None:
    """Of three contents, the first has three views and the second two, on two days."""
    view({LABEL: ids[:2]}, times=2)
    view({LABEL: ids[:1]}, at=AT + 30 * HOUR)
    project(force=True)


def run(command: str, *options: str) -> str:
    out = StringIO()
    call_command("counters", command, *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def audit() -> str:
    return run("audit")


def counters() -> list[int]:
    """Return those of the three contents, which are the newest."""
    return list(Content.objects.order_by("-pk").values_list("counter", flat=True)[:3])[::-1]


def rollups(ids: list[int]) -> list[int]:
    return [rolled_up(content) for content in Content.objects.filter(pk__in=ids).order_by("pk")]


def spoil(ids: list[int]) -> None:
    Content.objects.filter(pk__in=ids[:2]).update(counter=F("counter") + 5)
    Rollup.objects.filter(target_id=ids[0]).delete()
    Rollup.objects.filter(target_id=ids[1]).update(views=9)
    HourTotal.objects.update(views=1)


@pytest.mark.parametrize("ahead", ["", "totals", "hourly"])
def test_both_kinds_are_set_to_what_the_events_say(
    ids: list[int], ahead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "CHUNK_SIZE", 1)
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 1)
    view({LABEL: ids})
    if ahead:
        apply_new_events(force=True, kinds=[ahead])
    spoil(ids)

    assert run("rebuild", TOTALS) == f"{TOTALS}: 2 counters corrected\n"
    run("rebuild", HOURLY)

    project(force=True)
    assert counters() == [4, 3, 1]
    assert rollups(ids) == [4, 3, 1]
    assert "clean" in audit()
    assert not Recount.objects.exists()
    assert not Recounted.objects.exists()
    totals, hourly = Correction.objects.order_by("pk")
    assert (totals.kind, totals.label, totals.target_id) == ("rebuild", LABEL, None)
    assert totals.before - totals.after == 10
    assert hourly.text.startswith(f"{HOURLY}: ")


def test_only_a_part_of_the_hours_is_rebuilt(ids: list[int]) -> None:
    Rollup.objects.update(views=9)

    run("rebuild", HOURLY, "--since", "2025-11-22")

    rows = Rollup.objects.filter(target_id__in=ids).order_by("hour", "target_id")
    assert [one.views for one in rows] == [9, 9, 1]
    with pytest.raises(CommandError, match="no hours"):
        run("rebuild", TOTALS, "--since", "2025-11-22")


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(CommandError, match=r"there is no projection totals:shop\.item here"):
        run("rebuild", "totals:shop.item")


def test_views_of_a_segment_that_was_mended_are_counted(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_remembered", read.Remembered())
    view({LABEL: ids}, times=4)
    data = bytes(Segment.objects.get(number=3).data)
    Segment.objects.filter(number=3).update(data=b"?")
    monkeypatch.setattr(read, "_remembered", read.Remembered())
    project(force=True)
    assert counters() == [3, 2, 0]
    run("rebuild", TOTALS)
    Segment.objects.filter(number=3).update(data=data, corrupt_at=None)

    run("rebuild", TOTALS)
    run("rebuild", HOURLY)

    assert counters() == [7, 6, 4]
    assert "clean" in audit()


def test_what_nothing_explains_is_left_and_said(ids: list[int]) -> None:
    Content.objects.filter(pk=ids[2]).update(counter=1_200)

    with pytest.raises(CommandError, match="1 counters were left as they were"):
        run("rebuild", TOTALS)

    assert counters() == [3, 2, 1_200]


def lose(name: str) -> None:
    """As if the store was restored, and the projection is in another database."""
    number = StoreHead.objects.get().number
    Projection.objects.filter(name=name).update(number=number + 5, key=7, events=99)


@pytest.mark.parametrize("name", [TOTALS, HOURLY])
def test_a_projection_whose_position_is_lost_starts_over(ids: list[int], name: str) -> None:
    spoil(ids)
    lose(name)
    view({LABEL: ids})
    if name == TOTALS:  # what was carried over is among the events
        kind = content_type_of(Content)
        Carried.objects.create(content_type=kind, target_id=ids[2], views=50, since=AT)
    run("rebuild", HOURLY if name == TOTALS else TOTALS)

    keep_store()

    assert Projection.objects.get(name=name).number == StoreHead.objects.get().number
    assert not Carried.objects.exists()
    project(force=True)
    view({LABEL: ids})
    project(force=True)
    assert rollups(ids) == [5, 4, 2]
    if name == TOTALS:
        assert counters() == [5, 4, 2]
        assert "clean" in audit()
    assert "its position was lost" in Correction.objects.latest("pk").text


def test_a_rebuild_that_another_process_does_is_left_to_it(ids: list[int]) -> None:
    lose(TOTALS)
    position = {"number": 0, "key": 0, "events": 0}
    boundary = {f"boundary_{name}": value for name, value in position.items()}
    Recount(label=LABEL, kind="totals", token=1, **position, **boundary).save()

    keep_store()
    assert Recount.objects.get().token == 1

    Recount.objects.update(touched_at=timezone.now() - timedelta(hours=1))
    keep_store()
    assert not Recount.objects.exists()


def test_an_audit_does_not_disturb_a_rebuild() -> None:
    position = {"number": 0, "key": 0, "events": 0}
    boundary = {f"boundary_{name}": value for name, value in position.items()}
    Recount(label=LABEL, kind="totals", token=1, **position, **boundary).save()

    with pytest.raises(CommandError, match="1 invariants are broken"):
        audit()

    assert Recount.objects.get().token == 1


@pytest.mark.django_db(transaction=True)
def test_a_counter_that_another_transaction_has_locked_is_waited_for(ids: list[int]) -> None:
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("this database has one writer")
    spoil(ids)
    done = threading.Event()

    def rebuilt() -> None:
        rebuild.rebuild(TOTALS)
        done.set()
        connection.close()

    with locked(Content.objects.filter(pk=ids[0])):
        thread = threading.Thread(target=rebuilt)
        thread.start()
        while counters()[1] != 2:
            assert not done.wait(0.01)
        assert counters()[0] == 8
    thread.join()
    assert counters() == [3, 2, 0]


@pytest.mark.django_db(transaction=True)
def test_views_keep_coming(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "CHUNK_SIZE", 1)
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 2)
    over = threading.Event()
    times = 0

    def count() -> None:
        nonlocal times
        for rounds in itertools.count():
            if over.is_set():
                break
            view({LABEL: ids})
            times += 1
            apply_new_events(force=True, kinds=["hourly" if rounds % 3 == 1 else "totals"])
        connection.close()

    with meanwhile(count):
        try:
            for _ in range(2):
                spoil(ids)
                run("rebuild", TOTALS)
                run("rebuild", HOURLY)
        finally:
            over.set()
    while project(force=True).more:
        pass

    assert counters() == [3 + times, 2 + times, times]
    assert "clean" in audit()


def kill(environment: dict[str, str], failpoint: str, *command: str) -> Done:
    """Run a command that dies at the failpoint."""
    return processes.run({**environment, ENVIRONMENT: failpoint}, manage, "counters", *command)


FAILPOINTS = [
    "before_recount_commit",
    "after_recount_commit",
    "before_rebuild_commit",
    "after_rebuild_commit",
    "before_rebuild_end",
    "after_rebuild_end",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("name", "is_lost"), [(TOTALS, True), (HOURLY, False)])
def test_a_rebuild_that_is_killed_goes_on(
    ids: list[int], name: str, is_lost: bool, environment: dict[str, str]
) -> None:
    """Dies at each failpoint in turn, each time one step further."""
    spoil(ids)
    if is_lost:
        lose(name)
    for failpoint in FAILPOINTS:
        died = kill(environment, failpoint, "rebuild", name)
        assert died.returncode == -signal.SIGKILL
        view({LABEL: ids})
        project(force=True)

    run("rebuild", name)
    run("rebuild", HOURLY if name == TOTALS else TOTALS)

    project(force=True)
    assert counters() == [9, 8, 6]
    assert rollups(ids) == [9, 8, 6]
    assert "clean" in audit()


# --- Adopt, drop ----------------------------------------------------------------------------------


def test_a_column_that_had_counts_before_is_adopted(ids: list[int]) -> None:
    Projection.objects.filter(name=TOTALS).update(counted_before="yes")
    Content.objects.filter(pk__in=[ids[0], ids[2]]).update(counter=F("counter") + 1_000)
    Content.objects.filter(pk=ids[1]).update(counter=1)

    said = run("adopt", "pages.Content")

    assert said == (
        f"{LABEL}: 2000 views of 2 targets are in the base\n"
        f"1 counters are too low, and left to a repair: {ids[1]}\n"
    )
    assert counters() == [1_003, 1, 1_000]
    run("audit", "--repair")
    assert counters() == [1_003, 2, 1_000]
    assert "clean" in audit()
    Content.objects.filter(pk__in=ids).update(counter=7_000)
    run("audit", "--repair")
    assert counters() == [1_003, 2, 1_000]
    adopted = Correction.objects.filter(kind="adopt").order_by("target_id")
    assert [(one.target_id, one.before, one.after) for one in adopted] == [
        (ids[0], 3, 1_003),
        (ids[2], 0, 1_000),
    ]
    assert "0 views of 0 targets" in run("adopt", LABEL)


def test_nothing_is_adopted_while_a_segment_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_remembered", read.Remembered())
    Segment.objects.filter(number=1).update(data=b"?")

    with pytest.raises(CommandError, match="segments 1 cannot be read"):
        run("adopt", LABEL)


@pytest.mark.django_db(transaction=True)
def test_an_adoption_that_is_killed_adopts_once(
    ids: list[int], environment: dict[str, str]
) -> None:
    """Before its commit, and after it."""
    Content.objects.filter(pk=ids[2]).update(counter=1_000)

    for failpoint, adopted in (("before_adopt_commit", 0), ("after_adopt_commit", 1)):
        died = kill(environment, failpoint, "adopt", LABEL)

        assert died.returncode == -signal.SIGKILL
        assert Correction.objects.count() == adopted
        view({LABEL: ids})
        project(force=True)
    run("adopt", LABEL)
    assert counters() == [5, 4, 1_002]
    assert "clean" in audit()
    assert Correction.objects.count() == 1


def test_a_projection_of_a_model_that_is_gone_is_given_up() -> None:
    Projection.objects.create(name="totals:shop.item", number=1)

    assert "totals:shop.item is given up at segment 1" in run("drop", "totals:shop.item")

    assert not Projection.objects.filter(name="totals:shop.item").exists()
    with pytest.raises(CommandError, match="there is no projection"):
        run("drop", "totals:shop.item")


def test_a_projection_that_is_used_is_given_up_by_force_only() -> None:
    with pytest.raises(CommandError, match="--force"):
        run("drop", HOURLY)

    assert "is given up" in run("drop", HOURLY, "--force")
    assert not list(Projection.objects.filter(name=HOURLY))

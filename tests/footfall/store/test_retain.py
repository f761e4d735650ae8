"""What leaves the store is in the base, in the same transaction, and by no clock."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content
from footfall import events
from footfall.common.failpoints import ENVIRONMENT
from footfall.models import (
    Base,
    Correction,
    Identity,
    Partition,
    Projection,
    Recount,
    Segment,
    StoreHead,
    StorePosition,
)
from footfall.ops.audit.invariants import broken_store, unaccounted_events
from footfall.registry import content_type_of
from footfall.store import retain
from footfall.store.compact import compact
from footfall.store.read import PositionLost, segments_after
from footfall.store.retain import remove_due, retention
from tests.support import processes
from tests.support.store import Stored, store
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

DAY = 24


@pytest.fixture(autouse=True)
def reading() -> Projection:
    """A projection that has read everything."""
    return Projection.objects.create(name="totals:pages.content", number=1_000)


@pytest.fixture(autouse=True)
def accounted() -> Iterator[None]:
    """In each test, whatever it does: no event is in two places, or in none."""
    yield
    head = StoreHead.objects.get()
    assert not list(broken_store())
    in_store = Segment.objects.aggregate(n=Sum("events"))["n"] or 0
    assert head.events == in_store + head.removed_events
    in_base = Base.objects.aggregate(n=Sum("views"))["n"] or 0
    assert in_base == head.removed_events  # each event is of one target


def views(ids: list[int], at: int = AT) -> Segment:
    """Store a view of each."""
    return store([Stored(at=at, body=events.encode({"pages.content": [pk]})) for pk in ids])


def pass_days(days: float) -> None:
    Identity.objects.update_or_create(pk=1, defaults={"epoch": F("epoch")})
    Identity.objects.update(epoch=F("epoch") + int(DAY * days))


@pytest.fixture(autouse=True)
def identity(db: None, settings: Settings) -> None:
    Identity.objects.get_or_create(pk=1)
    settings.COUNTERS_KEEP_DAYS = 10


def in_base() -> dict[tuple[int, int], int]:
    """Return the views in the base, by id and by hours since `AT`."""
    assert set(Base.objects.values_list("content_type", flat=True)) <= {content_type_of(Content).pk}
    rows = Base.objects.values_list("target_id", "hour", "views")
    return {(pk, int(at.timestamp() * 1000 - AT) // HOUR): n for pk, at, n in rows}


def numbers() -> list[int]:
    return list(Segment.objects.order_by("number").values_list("number", flat=True))


def test_what_is_old_is_in_the_base_by_target_and_hour() -> None:
    views([7, 7, 8])
    views([7], at=AT + 3 * HOUR)
    pass_days(5)
    kept = views([9])
    pass_days(5)

    assert remove_due() == 2

    assert in_base() == {(7, 0): 2, (8, 0): 1, (7, 3): 1}
    assert numbers() == [kept.number]
    assert remove_due() == 0
    pass_days(5)
    assert remove_due() == 1
    assert in_base() == {(7, 0): 2, (8, 0): 1, (7, 3): 1, (9, 0): 1}


def test_what_is_older_than_hours_are_kept_is_in_the_base_by_day(settings: Settings) -> None:
    settings.COUNTERS_HOURLY_DAYS = 31
    views([7, 8], at=AT + 5 * HOUR)
    views([7], at=AT + 9 * HOUR)
    pass_days(31)

    remove_due()

    assert in_base() == {(7, 0): 2, (8, 0): 1}


def test_no_clock_removes_anything() -> None:
    views([7])
    Segment.objects.update(stored_at=timezone.now() - timedelta(days=4_000))

    assert remove_due() == 0
    assert numbers() == [1]


def test_for_ever_is_for_ever(settings: Settings) -> None:
    settings.COUNTERS_KEEP_DAYS = 0
    views([7])
    pass_days(10_000)

    assert remove_due() == 0


def test_nothing_leaves_that_a_projection_has_yet_to_read(reading: Projection) -> None:
    for pk in range(1, 5):
        views([pk])
    pass_days(10)
    Projection.objects.create(name="hourly:pages.content", number=2)

    assert remove_due() == 2

    assert numbers() == [3, 4]
    held_up = "the projection hourly:pages.content has not read segment 3 yet"
    assert retention().held_up_by == held_up


@pytest.mark.parametrize("abandoned_for", [24, 25])
def test_nothing_leaves_that_a_recount_has_yet_to_read(abandoned_for: int) -> None:
    views([7])
    views([7])
    pass_days(10)
    at = {"number": 1, "key": 1, "events": 1}
    boundary = {f"boundary_{name}": value for name, value in at.items()}
    recount = Recount(label="pages.content", token=1, kind="audit", **at, **boundary)
    recount.epoch = 10 * DAY - abandoned_for
    recount.save()

    assert remove_due() == (1 if abandoned_for == 24 else 2)


def test_a_position_at_the_end_of_what_has_left_is_known() -> None:
    first, second = views([7]), views([7])
    pass_days(10)
    views([7])
    remove_due()

    assert [one.number for one in segments_after(StorePosition(2, second.key, 2))] == [3]
    for lost in (StorePosition(1, first.key, 1), StorePosition(2, 9, 2), StorePosition(0, 0, 0)):
        with pytest.raises(PositionLost):
            segments_after(lost)


def test_an_empty_store_goes_on_where_it_was() -> None:
    views([7, 8])
    pass_days(10)
    remove_due()
    assert numbers() == []
    assert not list(broken_store())

    views([7])

    assert numbers() == [2]
    assert StoreHead.objects.get().events == 3


def test_partitions_and_store_have_the_same_number_of_events() -> None:
    Partition.objects.create(number=0, events=3)
    views([7, 8])
    views([7])
    assert not list(unaccounted_events())
    pass_days(10)
    remove_due()

    assert not list(unaccounted_events())


@pytest.mark.parametrize("is_known", [True, False])
def test_a_corrupt_segment_never_leaves_by_itself(is_known: bool) -> None:
    for pk in range(1, 4):
        views([pk])
    pass_days(10)
    marked = {"corrupt_at": timezone.now()} if is_known else {}
    Segment.objects.filter(number=2).update(data=b"?", **marked)

    assert remove_due() == 1

    assert numbers() == [2, 3]
    assert "segment 2 is corrupt" in retention().held_up_by
    assert remove_due() == 0


def test_the_events_of_a_corrupt_segment_are_given_up_by_a_person() -> None:
    Partition.objects.create(number=0, events=4)
    for ids in ([1], [2, 3], [4]):
        views(ids)
    Segment.objects.filter(number=2).update(data=b"?", corrupt_at=timezone.now())
    pass_days(10)

    call_command("counters", "discard", "2", stdout=StringIO())

    assert not [*broken_store(), *unaccounted_events()]
    given_up = Correction.objects.get()
    assert (given_up.kind, given_up.before, given_up.after) == ("discard", 2, 0)
    assert remove_due() == 3
    assert in_base() == {(1, 0): 1, (4, 0): 1}
    assert not [*broken_store(), *unaccounted_events()]


def test_no_events_are_given_up_that_can_be_read() -> None:
    views([1])

    for number in ("1", "2"):
        with pytest.raises(CommandError, match=f"segment {number}"):
            call_command("counters", "discard", number, stdout=StringIO())


def test_what_was_given_up_is_compacted() -> None:
    for pk in range(1, 7):
        views([pk])
    for number in (1, 2):
        Segment.objects.filter(number=number).update(data=b"?")
        call_command("counters", "discard", str(number), stdout=StringIO())

    assert compact() == 5
    assert not list(broken_store())


def test_a_limit_of_bytes_keeps_the_newest(settings: Settings) -> None:
    settings.COUNTERS_KEEP_DAYS = 0
    for pk in range(1, 11):
        views([pk])
    size = retention().data_bytes
    settings.COUNTERS_STORE_MAX_BYTES = size // 2

    assert remove_due() == 5

    assert numbers() == [6, 7, 8, 9, 10]
    assert retention().data_bytes <= size // 2
    assert retention().removed == 5


def test_both_limits_are_held(settings: Settings) -> None:
    views([1])
    pass_days(10)
    for pk in range(2, 6):
        views([pk])
    settings.COUNTERS_STORE_MAX_BYTES = 3 * retention().data_bytes // 5

    remove_due()

    assert numbers() == [3, 4, 5]


def test_a_chunk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "MAX_EVENTS", 3)
    for pk in range(1, 11):
        views([pk, pk])
    pass_days(10)

    assert [retain._remove_some() for _ in range(6)] == [2, 2, 2, 2, 2, 0]
    assert in_base() == {(pk, 0): 2 for pk in range(1, 11)}


def test_compaction_merges_only_what_leaves_together() -> None:
    for _ in range(2):
        for pk in range(1, 6):
            views([pk])
        pass_days(1)

    compact()

    assert numbers() == [5, 10]
    assert list(Segment.objects.values_list("epoch", flat=True)) == [0, DAY]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failpoint", ["before_remove_commit", "after_remove_commit"])
def test_a_removal_that_is_killed_is_done_or_not(
    failpoint: str, environment: dict[str, str], settings: Settings
) -> None:
    views([7, 8])
    pass_days(500)

    died = processes.run({**environment, ENVIRONMENT: failpoint}, remove_due)

    assert died.returncode == -signal.SIGKILL
    assert numbers() == ([1] if failpoint == "before_remove_commit" else [])
    remove_due()
    assert len(in_base()) == 2

"""Small segments are merged: nothing is lost, doubled or out of order, whoever else is at work."""

import random
import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some
from pytest_django import DjangoAssertNumQueries

from footfall.common.failpoints import ENVIRONMENT
from footfall.models import Projection, Segment, StoreHead
from footfall.ops.audit.invariants import broken_store
from footfall.sql import Conflict
from footfall.store import compact as compacting
from footfall.store.compact import Small, compact, groups
from footfall.store.read import scan
from tests.support import processes
from tests.support.concurrency import run_at_once
from tests.support.store import (
    Stored,
    all_stored,
    built,
    numbered,
    rows_of,
    store,
    store_at,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def passed() -> Projection:
    """A projection that has passed everything."""
    return Projection.objects.create(name="totals:pages.content", number=1_000_000)


def ranges() -> list[tuple[int, int]]:
    """Return the first and the last number of each segment."""
    return list(Segment.objects.order_by("number").values_list("first", "number"))


def test_small_segments_become_one_with_all_they_had() -> None:
    before = [
        store(numbered(2, start=3 * n, partition=n % 2), [Stored(7, sequence=n, at=5 - n)])
        for n in range(5)
    ]
    rows = all_stored()
    Segment.objects.update(seconds=0.25, drained=2, keyed=3)

    assert compact() == 4

    segment = Segment.objects.get()
    assert (segment.first, segment.number, segment.key) == (1, 5, before[-1].key)
    assert (segment.events, segment.partitions) == (15, {"0": 6, "1": 4, "7": 5})
    assert (segment.first_at, segment.last_at) == (1, max(row.at for row in rows))
    assert (segment.stored_at, segment.seconds) == (before[-1].stored_at, 1.25)
    assert (segment.drained, segment.keyed) == (10, 15)
    assert all_stored() == rows
    assert [run.number for _one, events in scan() for run in events.runs] == [
        1, 1, 2, 2, 3, 3, 4, 4, 5, 5,
    ]  # fmt: skip
    assert not list(broken_store())
    assert compact() == 0


def test_what_was_compacted_is_compacted_again_with_more() -> None:
    for start in range(64):
        store(numbered(1, start=start))
        compact()

    assert all_stored() == numbered(64)
    assert ranges() == [(1, 64)]
    assert len({run.number for _one, events in scan() for run in events.runs}) == 64
    assert not list(broken_store())


def test_only_what_every_projection_has_passed_is_compacted() -> None:
    Projection.objects.create(name="hourly:pages.page", number=6)
    for n in range(10):
        store(numbered(1, start=n))

    compact()

    assert ranges() == [(1, 6), (7, 7), (8, 8), (9, 9), (10, 10)]


def test_without_a_projection_nothing_is_compacted(passed: Projection) -> None:
    passed.delete()
    for _ in range(10):
        store(numbered(1))

    assert compact() == 0


def test_new_segments_are_left_alone() -> None:
    for age in [1.5] * 5 + [0.5] * 5:
        store(numbered(1), age=timedelta(minutes=age))

    compact()

    assert ranges()[0] == (1, 5)
    assert len(ranges()) == 6


def test_a_segment_has_events_that_were_stored_on_one_day() -> None:
    midnight = datetime(2026, 1, 2, tzinfo=UTC)
    for hours in (-4, -3, -2, -1, 0, 1, 2, 3):
        store_at(midnight + timedelta(hours=hours), numbered(1))

    compact()

    assert ranges() == [(1, 4), (5, 8)]


def test_large_segments_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "MAX_EVENTS", 20)
    for count in (1, 2, 11, 3, 4, 20, 1):
        store(numbered(count))

    compact()

    assert ranges() == [(1, 2), (3, 3), (4, 5), (6, 6), (7, 7)]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_corrupt_segment_stays_as_it_is(is_known: bool) -> None:
    for n in range(9):
        store(numbered(1, start=n))
    marked = {"corrupt_at": timezone.now()} if is_known else {}
    Segment.objects.filter(number=5).update(data=b"?", **marked)

    for _ in range(2):
        compact()

    assert ranges() == [(1, 4), (5, 5), (6, 9)]
    corrupt = Segment.objects.get(number=5)
    assert bytes(corrupt.data) == b"?"
    assert corrupt.corrupt_at
    assert all_stored() == [*numbered(4), *numbered(4, start=5)]


def test_a_segment_that_became_corrupt_since_the_plan_ends_a_merge() -> None:
    for n in range(9):
        store(numbered(1, start=n))
    Segment.objects.filter(number=5).update(corrupt_at=timezone.now())

    assert compacting._merge(1, 9) == (4, 4)
    assert ranges() == [(1, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9)]


def test_a_compaction_that_has_nothing_to_do_reads_no_data(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting, "GROWTH", 2)
    for n in range(9):
        store(numbered(1, start=n))
    Segment.objects.filter(number=5).update(corrupt_at=timezone.now())
    assert compact() == 6

    with django_assert_num_queries(5):
        compact()


@pytest.mark.parametrize("first_is_corrupt", [True, False])
def test_a_merge_that_would_take_too_much_memory_is_several(
    monkeypatch: pytest.MonkeyPatch, first_is_corrupt: bool
) -> None:
    for n in range(10):
        store([Stored(sequence=n, body=bytes(10_000))])
    if first_is_corrupt:
        Segment.objects.filter(number=1).update(data=b"?")
    monkeypatch.setattr(compacting, "MAX_DECODED", 35_000)

    compact()

    start = 2 if first_is_corrupt else 1
    assert [one for one in ranges() if one[1] >= start][:2] == [
        (start, start + 2),
        (start + 3, start + 5),
    ]
    assert len(all_stored()) == 11 - start


def merged(sizes: list[int]) -> list[int]:
    """Return the sizes of the segments after a compaction."""
    day = datetime(2026, 1, 2, tzinfo=UTC).date()
    segments = [Small(n, n, size, 10 * size, (day, 0)) for n, size in enumerate(sizes, 1)]
    left = dict(enumerate(sizes, 1))
    small = [one for one in segments if one.events <= compacting.MAX_EVENTS // 2]
    for first, last in groups(small):
        assert first < last
        left[last] = sum(left.pop(number) for number in range(first, last)) + left[last]
        assert left[last] <= compacting.MAX_EVENTS
    return [left[number] for number in sorted(left)]


@given(some.lists(some.integers(1, 50_000), max_size=60))
def test_plans_end(sizes: list[int]) -> None:
    """What is planned again and again comes to an end, with hardly any small segments left."""
    total = sum(sizes)
    while (after := merged(sizes)) != sizes:
        assert len(after) < len(sizes)
        sizes = after
    assert sum(sizes) == total


@pytest.mark.parametrize("at_once", [1, 7, 100, 3_000])
def test_an_event_is_written_again_a_few_times_only(at_once: int) -> None:
    sizes: list[int] = []
    rewritten = 0
    for _ in range(400):
        sizes += [at_once] * random.Random(len(sizes)).randint(1, 60)
        after = merged(sizes)
        kept = list(sizes)
        for size in after:
            if size in kept:
                kept.remove(size)
        rewritten += sum(kept)
        sizes = after

    assert rewritten < 8 * sum(sizes)
    assert sum(size <= 25_000 for size in sizes) < 30


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failpoint", ["before_compact_commit", "after_compact_commit"])
def test_a_compaction_that_is_killed_is_done_or_not(
    failpoint: str, environment: dict[str, str]
) -> None:
    for n in range(8):
        store(numbered(1, start=n))

    died = processes.run({**environment, ENVIRONMENT: failpoint}, compact)

    assert died.returncode == -signal.SIGKILL
    assert len(ranges()) == (8 if failpoint == "before_compact_commit" else 1)
    assert not list(broken_store())
    compact()
    assert ranges() == [(1, 8)]
    assert all_stored() == numbered(8)


@pytest.mark.django_db(transaction=True)
def test_only_one_process_compacts_at_a_time() -> None:
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("this database has one writer")
    for n in range(8):
        store(numbered(1, start=n))

    with transaction.atomic():
        Segment.objects.select_for_update().get(number=1)
        assert run_at_once([compact]) == [0]

    assert compact() == 7


def test_segments_that_were_changed_meanwhile_are_not_replaced() -> None:
    rows = [store(numbered(1, start=n)) for n in range(3)]
    Segment.objects.filter(number=2).delete()

    with pytest.raises(Conflict), transaction.atomic():
        compacting._replace(rows, built(numbered(3)))

    assert ranges() == [(1, 1), (3, 3)]


@pytest.mark.django_db(transaction=True)
def test_compactions_ingests_and_readers_do_not_hurt_each_other(passed: Projection) -> None:
    for n in range(40):
        store(numbered(2, start=2 * n))

    def append_more() -> None:
        for n in range(40, 60):
            store(numbered(2, start=2 * n))

    def compact_often() -> None:
        for _ in range(10):
            compact()

    def read_often() -> None:
        for _ in range(5):
            found = [row for _segment, events in scan() for row in rows_of(events)]
            assert found == numbered(len(found))
            assert len(found) >= 80

    run_at_once([append_more, compact_often, compact_often, compact_often, read_often, read_often])

    compact()
    assert all_stored() == numbered(120)
    assert not list(broken_store())
    assert Segment.objects.aggregate(n=Sum("events"))["n"] == StoreHead.objects.get().events
    assert len(ranges()) < 10

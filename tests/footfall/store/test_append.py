"""Segments are appended: numbered without gaps, whole, and short enough for every database."""

import random
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction

from footfall.models import Segment, StoreHead, StorePosition
from footfall.store.append import append
from footfall.store.builder import MAX_BYTES, split
from footfall.store.segment import Events
from tests.support.concurrency import run_at_once
from tests.support.store import Stored, all_stored, built, numbered, rows_of, store
from tests.support.views import AT

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def incompressible(count: int, size: int) -> list[Stored]:
    make = random.Random(1)
    return [
        Stored(0, make.getrandbits(63), make.getrandbits(63), AT, make.randbytes(size))
        for _ in range(count)
    ]


def test_a_segment_says_what_is_in_it() -> None:
    runs = numbered(3, partition=2), [Stored(5, at=AT - 9)], numbered(1, 3, partition=2)

    before, (segment,) = append(built(*runs), NOW, seconds=0.5, drained=1)

    assert before == StorePosition(0, 0, 0)
    stored = Segment.objects.get()
    assert (stored.number, stored.first, stored.events, stored.stored_at) == (1, 1, 5, NOW)
    assert (stored.first_at, stored.last_at) == (AT - 9, AT + 3_000)
    assert (stored.seconds, stored.drained, stored.partitions) == (0.5, 1, {"2": 4, "5": 1})
    assert StoreHead.objects.get().position == StorePosition(1, segment.key, 5)
    assert all_stored() == [row for run in runs for row in run]


def test_positions_go_on_from_segment_to_segment() -> None:
    positions = [append(built(numbered(count)), NOW)[0] for count in (2, 3, 1)]

    keys = dict(Segment.objects.values_list("number", "key"))
    assert positions == [(0, 0, 0), (1, keys[1], 2), (2, keys[2], 5)]
    assert len({0, *keys.values()}) == 4
    assert StoreHead.objects.get().position == (3, keys[3], 6)


def test_no_events_are_no_segment() -> None:
    assert append(Events(), NOW) == (StorePosition(0, 0, 0), [])
    store(numbered(2))
    assert append(Events(), NOW) == (StoreHead.objects.get().position, [])
    assert Segment.objects.count() == 1


def test_what_is_rolled_back_leaves_no_gap() -> None:
    store(numbered(1))
    with transaction.atomic():
        append(built(numbered(1)), NOW)
        transaction.set_rollback(True)

    assert store(numbered(1)).number == 2


def test_events_that_cannot_be_compressed_are_several_short_segments() -> None:
    rows = incompressible(10_000, 900)

    before, segments = append(built(rows), NOW, seconds=0.5, drained=3)

    assert before.number == 0
    assert [one.number for one in segments] == [1, 2, 3, 4]
    assert all(len(one.data) < MAX_BYTES for one in segments)
    assert [(one.seconds, one.drained) for one in segments] == [(0.5, 3)] + [(0, 0)] * 3
    assert StoreHead.objects.get().position == (4, segments[-1].key, 10_000)
    assert all_stored() == rows


def test_a_part_is_never_as_long_as_a_statement_may_be() -> None:
    for count, size in ((150_000, 0), (60_000, 60), (5, 2**20)):
        rows = incompressible(count, size)
        parts = list(split(built(rows)))
        assert len(parts) > 1
        assert [row for part in parts for row in rows_of(part)] == rows


def test_one_event_that_is_too_long_is_a_segment_of_its_own() -> None:
    rows = [*numbered(2), Stored(body=random.Random(1).randbytes(MAX_BYTES)), *numbered(2)]

    parts = [list(rows_of(part)) for part in split(built(rows))]

    assert [rows[2]] in parts
    assert [row for part in parts for row in part] == rows


@pytest.mark.django_db(transaction=True)
def test_many_append_at_once_also_the_very_first_time() -> None:
    all_found_no_head = threading.Barrier(4, timeout=20)

    def append_some() -> None:
        with connection.execute_wrapper(wait_for_others):
            store(numbered(2))
        for _ in range(4):
            store(numbered(2))

    def wait_for_others(execute: Any, sql: str, *arguments: Any) -> Any:
        done = execute(sql, *arguments)
        locks_head = "counters_storehead" in sql and "FOR UPDATE" in sql  # not on SQLite
        if locks_head and threading.current_thread() not in waited:
            waited.add(threading.current_thread())
            all_found_no_head.wait()
        return done

    waited: set[threading.Thread] = set()
    run_at_once([append_some] * 4)

    assert list(Segment.objects.order_by("number").values_list("first", "number")) == [
        (number, number) for number in range(1, 21)
    ]
    last = Segment.objects.get(number=20)
    assert StoreHead.objects.get().position == (20, last.key, 40)

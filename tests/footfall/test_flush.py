"""Ingest and projections on PostgreSQL and Redis, one batch at a time."""

import random
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall import events
from footfall.eventlog import Full, RedisLog
from footfall.events import DropReason
from footfall.flush import flush, flush_all
from footfall.log import get_log
from footfall.models import DeadLetter, Partition, Projection, Rollup, Segment, Spilled
from footfall.ops.audit.run import broken_positions, differences
from footfall.record import record
from footfall.signals import counted
from footfall.sql import mysql
from footfall.worker import ingest_for
from tests.support.views import AT, HOUR, Counts, store_views

pytestmark = pytest.mark.django_db

SETS_COUNTER = r"""["`]counter["`] = """


def test_every_content_of_a_viewed_page_gains_one(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    record(page, contents)
    record(page, contents)

    ingested = flush()

    assert counts() == [2, 2, 2]
    page.refresh_from_db()
    assert page.counter == 2
    assert ingested.finished_partitions == {0, 1}
    assert not ingested.more
    assert not list(differences())


def test_a_second_flush_finds_nothing(page: Page, contents: list[Content], counts: Counts) -> None:
    record(page, contents)
    flush()

    assert not flush().segments
    assert counts() == [1, 1, 1]
    assert Segment.objects.count() == 1


def test_an_idle_flush_writes_nothing(page: Page) -> None:
    flush()  # makes the partitions
    with CaptureQueriesContext(connection) as queries:
        flush()

    reading = ("SELECT", "SAVEPOINT", "RELEASE")
    assert not [q["sql"] for q in queries if not q["sql"].startswith(reading)]


@pytest.mark.django_db(transaction=True)
def test_what_one_batch_has_is_counted_without_other_threads(
    page: Page, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(page, contents)
    monkeypatch.setattr("footfall.flush.ThreadPoolExecutor", None)

    assert flush_all() == 1

    assert counts() == [1, 1, 1]


def test_the_segment_says_how_many_events_it_has(page: Page, contents: list[Content]) -> None:
    for _ in range(5):
        record(page, contents)

    ingested = flush()

    (segment,) = ingested.segments
    assert (segment.number, segment.events, segment.drained) == (1, 5, 0)
    assert sum(segment.partitions.values()) == 5
    assert not ingested.dropped


def test_rollups_are_by_the_hour_in_which_the_view_happened(
    log: RedisLog, contents: list[Content]
) -> None:
    one, two = contents[0].pk, contents[1].pk
    store_views(log, (AT, [one]), (AT + HOUR - 1, [one, two]), (AT + HOUR, [one]))
    flush()
    store_views(log, (AT + 5, [one]))
    flush()

    rows = Rollup.objects.order_by("target_id", "hour").values_list("target_id", "hour", "views")
    at = [datetime.fromtimestamp((AT + h * HOUR) / 1000, UTC) for h in (0, 1)]
    assert list(rows) == [(one, at[0], 3), (one, at[1], 1), (two, at[0], 1)]
    assert not list(differences())


def test_one_update_per_model_and_batch(page: Page, contents: list[Content]) -> None:
    for _ in range(20):
        record(page, contents)
    flush_all()
    for _ in range(20):
        record(page, contents)

    with CaptureQueriesContext(connection) as queries:
        flush()

    updates = [q["sql"] for q in queries if re.search(SETS_COUNTER, q["sql"])]
    assert len(updates) == 2
    assert ["pages_content" in updates[0], "pages_page" in updates[1]] == [True, True]


def test_views_of_a_deleted_target_are_dropped_with_the_reason(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    record(page, contents)
    record(page, contents)
    contents[0].delete()

    flush()

    assert counts() == [2, 2]
    of_contents = Projection.objects.get(name="totals:pages.content")
    assert of_contents.dropped == {DropReason.TARGET_DELETED: 2}
    assert Projection.objects.get(name="totals:pages.page").dropped == {}
    assert not list(differences())


def test_a_backlog_drains_in_bounded_batches(
    log: RedisLog, contents: list[Content], counts: Counts, settings: Settings
) -> None:
    settings.COUNTERS_BATCH_EVENTS = 20
    store_views(log, *[(AT, [contents[0].pk])] * 45)
    store_views(log, *[(AT, [contents[0].pk])] * 5, partition=1)

    first = flush()

    assert first.segments[0].partitions == {"0": 15, "1": 5}
    assert first.more
    assert first.finished_partitions == {1}
    assert ingest_for(seconds=10) == 2
    flush()
    assert counts()[0] == 50
    assert [one.events for one in Segment.objects.order_by("number")] == [20, 20, 10]


def test_a_tick_gives_way_after_its_time(
    log: RedisLog, contents: list[Content], settings: Settings
) -> None:
    settings.COUNTERS_BATCH_EVENTS = 2
    store_views(log, *[(AT, [contents[0].pk])] * 5)

    assert ingest_for(seconds=0) == 1


def test_large_events_bound_the_batch_by_their_size(
    log: RedisLog, contents: list[Content], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.eventlog.stream.ENTRIES_PER_CALL", 40)
    settings.COUNTERS_BATCH_BYTES = 2 * 10_000
    store_views(log, *[(AT, list(range(1, 1000)))] * 100)

    ingested = flush()

    assert 0 < ingested.events < 100
    assert ingested.more


def test_malformed_events_do_not_block_the_batch(
    log: RedisLog, contents: list[Content], counts: Counts, server: Any, prefix: str
) -> None:
    one = contents[0].pk
    store_views(log, (AT, [one]), (0, [one]))
    log.append(0, b'{"type":"Viewed","v":1,"ids":{"pages.content":[9223372036854775808]}}', AT)
    log.append(0, b'{"type":"Viewed","v":1,"ids":{"pages.content":[0]}}', AT)
    log.append(0, b'{"type":"Viewed","v":99,"ids":{"pages.content":[1]}}', AT)
    log.append(0, b"\x00\xff", AT)
    server.xadd(f"{prefix}:{{0}}:log", {"who": "knows"})
    store_views(log, (AT, [one]))

    ingested = flush()

    assert counts()[0] == 3
    assert ingested.events == 3
    assert ingested.dropped == {DropReason.DEAD_LETTER: 5}
    assert Partition.objects.get(number=0).dropped == {DropReason.DEAD_LETTER: 5}
    assert DeadLetter.objects.count() == 5
    assert not flush().segments


def test_views_of_a_model_that_no_worker_knows_wait_for_one_that_does(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    """The web server has it already; this worker still runs the version before."""
    log.append(0, events.encode({"pages.content": [contents[0].pk], "shop.product": [1]}), AT)

    assert flush().events == 1

    assert counts()[0] == 1
    waiting = Projection.objects.get(name="totals:shop.product")
    assert (waiting.number, waiting.events) == (0, 0)


def test_every_entry_that_is_read_again_is_dropped(
    log: RedisLog, contents: list[Content], counts: Counts, server: Any, prefix: str
) -> None:
    """The position only saves reading: the producer states say what was counted."""
    store_views(log, *[(AT, [contents[0].pk])] * 10)
    log.append(0, b"malformed", AT)
    server.xadd(f"{prefix}:{{0}}:log", {"who": "knows"})
    flush()
    Partition.objects.update(position="", producer_id=None, sequence=None)
    store_views(log, (AT, [contents[0].pk]))

    ingested = flush()

    assert counts()[0] == 11
    assert ingested.events == 1
    assert ingested.dropped == {DropReason.ALREADY_COUNTED: 12}
    assert DeadLetter.objects.count() == 2


def test_a_truncated_stream_whose_clock_went_back_is_counted_exactly(
    log: RedisLog, contents: list[Content], counts: Counts, server: Any, prefix: str
) -> None:
    """The append-only file lost its tail, and new entries have ids below the position's."""
    key = f"{prefix}:{{0}}:log"
    server.xadd(key, {"ids": "ahead"}, id="9999999999999-0")
    store_views(log, *[(AT, [contents[0].pk])] * 5)
    flush()
    survivors = server.xrange(key)[1:4]
    server.delete(key)
    for number, (_, fields) in enumerate(survivors):
        server.xadd(key, fields, id=f"1000-{number}")
    store_views(log, *[(AT, [contents[0].pk])] * 4)

    flush()

    assert counts()[0] == 9
    assert not list(differences())


def test_an_emptied_redis_loses_no_new_view(
    log: RedisLog, contents: list[Content], counts: Counts, server: Any, prefix: str
) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 5)
    flush()
    for key in server.scan_iter(f"{prefix}:*"):
        server.delete(key)
    store_views(log, *[(AT, [contents[0].pk])] * 3)

    flush()

    assert counts()[0] == 8
    assert not list(broken_positions())


def test_a_database_from_yesterday_catches_up_from_the_retention(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 5)
    flush()
    backup = transaction.savepoint()
    store_views(log, *[(AT, [contents[0].pk])] * 7)
    flush()
    transaction.savepoint_rollback(backup)

    flush()

    assert counts()[0] == 12


def test_the_applied_is_trimmed_after_its_retention(
    log: RedisLog, contents: list[Content], settings: Settings
) -> None:
    settings.COUNTERS_LOG_RETENTION_BYTES = 2 * 10_000
    store_views(log, *[(AT, [contents[0].pk])] * 1000)

    flush()

    assert 0 < log.length(0) < 500
    assert not list(broken_positions())


def test_a_full_partition_has_room_again_after_a_flush(
    contents: list[Content], settings: Settings
) -> None:
    settings.COUNTERS_LOG_MAX_BYTES = 2 * 20_000
    log = get_log()

    def fill() -> None:
        for _ in range(2000):
            store_views(log, (AT, [contents[0].pk]))

    with pytest.raises(Full):
        fill()
    flush()
    flush()

    store_views(log, (AT, [contents[0].pk]))


def test_an_idle_partition_is_trimmed_too(
    log: RedisLog, contents: list[Content], settings: Settings
) -> None:
    """Its share of the memory has become smaller, and no new event comes to a full partition."""
    store_views(log, *[(AT, [contents[0].pk])] * 1000)
    flush()
    settings.COUNTERS_LOG_MAX_BYTES = 2 * 20_000
    flush()

    store_views(get_log(), (AT, [contents[0].pk]))


def test_a_partition_that_is_broken_does_not_hold_up_the_others(
    log: RedisLog, contents: list[Content], counts: Counts, server: Any, prefix: str
) -> None:
    server.set(f"{prefix}:{{0}}:log", "in the way")
    store_views(log, (AT, [contents[0].pk]), partition=1)

    ingested = flush()

    assert counts()[0] == 1
    assert ingested.finished_partitions == {1}


@pytest.mark.parametrize(("before", "after"), [(2, 1), (2, 5)])
def test_changing_the_number_of_partitions_strands_nothing(
    page: Page,
    contents: list[Content],
    counts: Counts,
    settings: Settings,
    before: int,
    after: int,
) -> None:
    settings.COUNTERS_PARTITIONS = before
    flush()
    pages = [page, *Page.objects.bulk_create(Page(title=str(n)) for n in range(20))]
    for each in pages:
        record(each, contents)
        Spilled.objects.create(
            partition=before - 1, at=AT, body=events.encode({"pages.content": [contents[0].pk]})
        )

    settings.COUNTERS_PARTITIONS = after
    for each in pages:
        record(each, contents)
    flush_all()

    assert counts() == [63, 42, 42]


def test_the_commit_is_published(page: Page, contents: list[Content]) -> None:
    told: dict[Any, dict[int, int]] = {}

    def receiver(sender: Any, counters: dict[int, int], **kwargs: Any) -> None:
        told[sender] = counters

    def broken(**kwargs: Any) -> None:
        raise RuntimeError("a receiver that fails")

    counted.connect(broken)
    counted.connect(receiver)
    try:
        record(page, contents)
        flush()
    finally:
        counted.disconnect(broken)
        counted.disconnect(receiver)

    assert told == {Page: {page.pk: 1}, Content: {content.pk: 1 for content in contents}}


def test_random_views_add_up(log: RedisLog, contents: list[Content], counts: Counts) -> None:
    rng = random.Random(7)
    expected = dict.fromkeys([content.pk for content in contents], 0)
    for _ in range(30):
        for _ in range(rng.randrange(20)):
            ids = rng.sample(sorted(expected), rng.randint(1, 3))
            store_views(log, (AT + rng.randrange(5 * HOUR), ids), partition=rng.randrange(2))
            for target in ids:
                expected[target] += 1
        flush(limit=rng.randint(2, 30))
    flush_all()

    assert counts() == [expected[pk] for pk in sorted(expected)]
    assert not list(differences())


def test_a_batch_that_is_too_large_for_one_statement_is_counted(
    page: Page, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "MAX_ROWS", 2)  # the other databases have no limit in reach
    for _ in range(5):
        record(page, contents)

    flush_all()

    assert counts() == [5, 5, 5]
    assert not list(differences())

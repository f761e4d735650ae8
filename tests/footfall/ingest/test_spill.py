"""Spilled views are counted once, in whatever order their copies turn up."""

import os

import pytest
import redis
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall import events
from footfall.eventlog import RedisLog
from footfall.events import DropReason
from footfall.flush import flush, flush_all
from footfall.ingest.spill import replay, spill
from footfall.log import get_log
from footfall.models import Agent, DeadLetter, How, Partition, ProducerState, Rollup, Spilled
from footfall.ops.audit.invariants import unaccounted_events
from footfall.ops.audit.run import differences
from footfall.record import record
from footfall.recount.upkeep import keep_store
from footfall.store.read import verified
from footfall.viewers.agents import Told, hash_of
from loadtest.common.waiting import wait_until
from tests.support.concurrency import run_at_once
from tests.support.proxy import Fault, Proxy
from tests.support.views import AT, Counts

pytestmark = pytest.mark.django_db


def test_spilled_views_are_counted_at_the_time_they_happened(
    contents: list[Content], counts: Counts
) -> None:
    spill(0, events.encode({"pages.content": [contents[0].pk]}), AT)

    ingested = flush()

    assert counts() == [1, 0, 0]
    assert (ingested.events, ingested.segments[0].drained) == (1, 1)
    assert Rollup.objects.get().hour.timestamp() * 1000 == AT
    assert not Spilled.objects.exists()


def test_views_are_counted_while_redis_is_away_and_after(
    page: Page, contents: list[Content], counts: Counts, settings: Settings
) -> None:
    url = settings.COUNTERS_LOG_URL
    record(page, contents)
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    for _ in range(5):
        record(page, contents)

    flushed = flush()

    assert counts() == [5, 5, 5]
    assert flushed.finished_partitions == set()
    settings.COUNTERS_LOG_URL = url
    flush()
    assert counts() == [6, 6, 6]
    assert not list(differences())


@pytest.mark.parametrize("fault", [Fault.SWALLOW, Fault.CUT_AFTER, Fault.CUT_BEFORE])
def test_an_ambiguous_append_is_counted_once(
    fault: Fault, page: Page, contents: list[Content], counts: Counts, proxy: Proxy
) -> None:
    record(page, contents)
    proxy.fault = fault
    record(page, contents)
    proxy.fault = Fault.NONE
    get_log().breaker.succeeded()
    record(page, contents)

    flush_all()

    assert counts() == [3, 3, 3]
    assert not Spilled.objects.exists()


def test_an_append_that_lands_after_its_spill_was_counted_is_dropped(
    page: Page, contents: list[Content], counts: Counts, proxy: Proxy, settings: Settings
) -> None:
    record(page, contents)
    proxy.fault = Fault.HOLD
    record(page, contents)
    settings.COUNTERS_LOG_URL = os.environ["REDIS_URL"]
    flush_all()
    assert counts() == [2, 2, 2]
    before = sum(get_log().length(partition) for partition in (0, 1))

    proxy.release()
    wait_until(lambda: sum(get_log().length(p) for p in (0, 1)) == before + 1)
    ingested = flush()

    assert counts() == [2, 2, 2]
    assert ingested.dropped[DropReason.COUNTED_FROM_SPILL] == 1
    assert not list(differences())


def test_an_append_that_was_counted_from_the_log_is_dropped_from_the_spill(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    answer = log.append(0, body, AT)
    flush()
    spill(0, body, AT, answer.event_id)

    ingested = flush()

    assert counts() == [1, 0, 0]
    assert ingested.dropped[DropReason.COUNTED_FROM_LOG] == 1
    assert not Spilled.objects.exists()


def test_what_an_older_flusher_could_not_read_is_counted_later(
    log: RedisLog, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that runs beside a new web server, which tells the strings of agents."""
    told = Told(How.PLAIN, "curl/8").encode()
    meta = events.encode_meta(events.Meta(agent=hash_of(told), told=told))
    with monkeypatch.context() as patch:
        patch.setattr(
            "footfall.ingest.collect.malformed_metas",
            lambda metas: {one: str(invalid_meta(one)) for one in metas if one},
        )
        for one in (meta, b"x"):
            log.append(0, events.encode({"pages.content": [contents[0].pk]}), AT, one)
        flush()
    assert counts() == [0, 0, 0]

    keep_store()
    keep_store()
    flush_all()

    assert counts() == [1, 0, 0]
    assert Agent.objects.get().string == "curl/8"
    assert bytes(DeadLetter.waiting().get().meta or b"") == b"x"


def invalid_meta(meta: bytes) -> events.Malformed:
    return events.Malformed(events.DeadLetterReason.INVALID_META, meta)


def test_log_and_spill_in_one_batch_count_once(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    answer = log.append(0, body, AT)
    spill(0, body, AT, answer.event_id)

    flush()

    assert counts() == [1, 0, 0]


def test_a_spill_larger_than_a_batch_drains_batch_by_batch(
    contents: list[Content], counts: Counts
) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    Spilled.objects.bulk_create(Spilled(partition=n % 2, at=AT, body=body) for n in range(25))

    assert flush(limit=10).more
    assert counts()[0] == 10
    flush_all()
    assert counts()[0] == 25


def test_a_spilled_event_that_is_malformed_is_a_dead_letter() -> None:
    spill(0, b"nonsense", AT)

    flush()

    assert DeadLetter.objects.get().reason.startswith("not JSON")
    assert not Spilled.objects.exists()


def test_dead_letters_do_not_hold_up_the_flush_however_large_they_are(
    log: RedisLog,
    server: redis.Redis,
    prefix: str,
    page: Page,
    contents: list[Content],
    counts: Counts,
) -> None:
    """Views of pages with 3,000 contents, each a byte too long; and a foreign entry."""
    body = events.encode({"pages.content": range(10**9, 10**9 + 9_000, 3)}) + b"\x00"
    for _ in range(600):
        log.append(0, body, AT)
    server.xadd(f"{prefix}:{{0}}:log", {"b": b"x" * 20 * 1024**2})
    record(page, contents)

    flush_all()

    assert counts() == [1, 1, 1]
    assert DeadLetter.objects.count() == 601
    assert replay(DeadLetter.objects.all()) == 601


def test_a_dead_letter_is_replayed_through_the_spill(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    DeadLetter.objects.create(partition=1, at=AT, body=body, reason="no countable model")

    assert replay(DeadLetter.objects.all()) == 1
    flush()

    assert counts() == [1, 0, 0]
    assert not DeadLetter.waiting().exists()
    assert DeadLetter.objects.get().replayed_at
    assert Rollup.objects.get().hour.timestamp() * 1000 == AT


def test_a_dead_letter_counts_once_however_often_it_is_replayed(
    contents: list[Content], counts: Counts
) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    DeadLetter.objects.create(partition=1, at=AT, body=body, reason="no countable model")

    assert [replay(DeadLetter.objects.all()) for _ in range(2)] == [1, 0]
    flush()
    assert replay(DeadLetter.objects.all()) == 0
    flush()

    assert counts() == [1, 0, 0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no locks of rows")
def test_of_two_operators_who_replay_the_same_letters_one_does(
    contents: list[Content], counts: Counts
) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    for _ in range(3):
        DeadLetter.objects.create(partition=1, at=AT, body=body, reason="no countable model")

    replayed = run_at_once([lambda: replay(DeadLetter.objects.all())] * 2)
    flush_all()

    assert sorted(replayed) == [0, 3]
    assert counts() == [3, 0, 0]


def test_a_replayed_event_that_is_still_malformed_waits_again() -> None:
    letter = DeadLetter.objects.create(partition=1, at=AT, body=b"nonsense", reason="old reason")

    replay(DeadLetter.objects.all())
    assert not DeadLetter.waiting().exists()
    flush()

    again = DeadLetter.waiting().get()
    assert again.pk == letter.pk
    assert again.reason.startswith("not JSON")
    assert replay(DeadLetter.objects.all()) == 1


def test_a_replayed_event_has_its_event_id_in_the_store(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    """Its producer state says that it was applied: that it was not counted, the letter knows."""
    event_id = log.append(0, b"nonsense", AT).event_id
    flush()
    body = events.encode({"pages.content": [contents[0].pk]})
    DeadLetter.objects.update(body=body)

    replay(DeadLetter.objects.all())
    (segment,) = flush().segments

    stored = verified(segment)
    assert (stored.producer_ids, list(stored.sequence)) == (
        [event_id.producer_id],
        [event_id.sequence],
    )
    assert counts() == [1, 0, 0]


def test_an_entry_that_is_read_again_makes_no_second_letter(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    log.append(0, b"nonsense", AT)
    server.xadd(f"{prefix}:{{0}}:log", {"who": "knows"})
    flush()
    assert replay(DeadLetter.objects.all()) == 2
    Spilled.objects.all().delete()

    ProducerState.objects.all().delete()
    Partition.objects.update(position="", producer_id=None, sequence=None, offset=0)
    flush()

    assert DeadLetter.objects.count() == 2
    assert not DeadLetter.waiting().exists()
    assert Partition.objects.get(number=0).dropped[DropReason.ALREADY_COUNTED] == 2
    assert not list(unaccounted_events())


def test_producer_states_never_go_down(log: RedisLog, contents: list[Content]) -> None:
    body = events.encode({"pages.content": [contents[0].pk]})
    event_ids = [log.append(0, body, AT).event_id for _ in range(3)]
    flush()
    spill(0, body, AT, event_ids[0])
    flush()

    producer_state = ProducerState.objects.get(producer_id=event_ids[0].producer_id)
    assert (producer_state.sequence, producer_state.spilled) == (2, None)
    assert producer_state.updated_at <= timezone.now()

"""Cache entries: appended and returned in one call, and never an older one over a newer."""

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from footfall.cache.entries import LEASE_MS, MAX_COUNTERS, Lease, PageCache
from footfall.eventlog import Away, LogError, RedisLog, Refused
from loadtest.common.waiting import wait_until
from tests.footfall.eventlog.contract import AT, bodies, read
from tests.support.proxy import Fault, Proxy

NAME = "page:7"


@pytest.fixture
def log(prefix: str) -> Iterator[RedisLog]:
    log = RedisLog(os.environ["REDIS_URL"], prefix=prefix, retention_seconds=0)
    yield log
    log.close()


@pytest.fixture
def open_cache(prefix: str, log: RedisLog) -> Callable[..., PageCache]:
    def open_cache(url: str = os.environ["REDIS_URL"], **options: Any) -> PageCache:
        return PageCache(url, prefix=prefix, breaker=log.breaker, **options)

    return open_cache


@pytest.fixture
def pages(open_cache: Callable[..., PageCache]) -> PageCache:
    return open_cache()


def take(pages: PageCache, name: str = NAME, partition: int = 0) -> Lease:
    lease = pages.lease(partition, name)
    assert lease is not None
    return lease


def answered(log: RedisLog, name: str = NAME) -> list[bytes] | None:
    appended = log.append_cached(0, name, AT)
    return list(appended.values) if appended else None


def test_a_cached_page_is_returned_and_its_event_appended(log: RedisLog, pages: PageCache) -> None:
    body = bytes(range(256))
    assert pages.store(take(pages), body, b"value", [("a", 3), ("b", 2**62), ("a", 3)])

    assert answered(log) == [b"value", b"3", b"%d" % 2**62, b"3"]
    assert answered(log) is not None

    entries = read(log)
    assert bodies(entries) == [body, body]
    assert [entry.event_id and entry.event_id.sequence for entry in entries] == [0, 1]


def test_a_page_without_counters(log: RedisLog, pages: PageCache) -> None:
    pages.store(take(pages), b"body", b"value", [])
    assert answered(log) == [b"value"]


def test_counters_are_raised_for_every_page_that_has_them(log: RedisLog, pages: PageCache) -> None:
    pages.store(take(pages), b"body", b"value", [("a", 1), ("b", 1)])
    pages.store(take(pages, "page:8"), b"body", b"other", [("a", 1)])

    assert pages.increase_counters(0, {"a": 10, "c": 5}) == ["a"]

    assert answered(log) == [b"value", b"10", b"1"]
    assert answered(log, "page:8") == [b"other", b"10"]


def test_a_thousand_counters_are_raised(log: RedisLog, pages: PageCache) -> None:
    names = [f"n{i}" for i in range(MAX_COUNTERS)]
    assert pages.store(take(pages), b"body", b"value", [(name, 0) for name in names])
    assert pages.increase_counters(0, dict.fromkeys(names, 3)) == names
    assert answered(log) == [b"value"] + [b"3"] * MAX_COUNTERS
    assert not pages.store(take(pages, "page:8"), b"", b"", [(n, 0) for n in [*names, "more"]])


def test_of_two_publishers_the_slower_one_changes_nothing(log: RedisLog, pages: PageCache) -> None:
    pages.store(take(pages), b"body", b"value", [("a", 1)])
    values = random.Random(3).sample(range(2, 60), 40)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda value: pages.increase_counters(0, {"a": value}), values))
    assert answered(log) == [b"value", str(max(values)).encode()]


def test_a_page_that_was_read_before_the_flush_lowers_no_counter(
    log: RedisLog, pages: PageCache
) -> None:
    pages.store(take(pages), b"body", b"value", [("a", 1)])
    slow = take(pages, "page:8")
    pages.increase_counters(0, {"a": 10})

    pages.store(slow, b"body", b"other", [("a", 1)])

    assert answered(log) == [b"value", b"10"]
    assert answered(log, "page:8") == [b"other", b"10"]


def test_a_page_that_was_read_before_a_change_is_not_stored_after_it(
    log: RedisLog, pages: PageCache
) -> None:
    slow = take(pages)
    pages.invalidate(0, [NAME])
    fast = take(pages)
    assert pages.store(fast, b"body", b"new", [])

    assert not pages.store(slow, b"body", b"old", [])

    assert answered(log) == [b"new"]


def test_an_invalidated_page_is_gone(log: RedisLog, pages: PageCache) -> None:
    pages.store(take(pages), b"body", b"value", [])
    pages.invalidate(0, [NAME, "page:8"])
    assert answered(log) is None
    assert log.length(0) == 0


def test_a_lease_that_redis_lost_stores_nothing(
    pages: PageCache, server: redis.Redis, prefix: str
) -> None:
    lease = take(pages)
    server.delete(f"{prefix}:{{0}}:lease:{NAME}")
    assert not pages.store(lease, b"body", b"value", [])


def test_one_caller_fills_the_entry_and_the_others_wait(log: RedisLog, pages: PageCache) -> None:
    mine = take(pages)
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(pages.lease, 0, NAME) for _ in range(4)]
        pages.store(mine, b"body", b"value", [])
        assert [other.result(5) for other in others] == [None] * 4
    assert answered(log) == [b"value"]


def test_a_released_lease_is_taken_by_another_caller(pages: PageCache) -> None:
    mine = take(pages)
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(pages.lease, 0, NAME)
        pages.release(mine)
        assert other.result(5) is not None


@pytest.mark.parametrize(("counters", "max_bytes"), [(MAX_COUNTERS + 1, 2**24), (1, 2)])
def test_callers_do_not_wait_for_a_page_that_cannot_be_stored(
    open_cache: Callable[..., PageCache],
    monkeypatch: pytest.MonkeyPatch,
    counters: int,
    max_bytes: int,
) -> None:
    monkeypatch.setattr("footfall.cache.entries.WAIT_SECONDS", 50)
    pages = open_cache(max_bytes=max_bytes)
    assert not pages.store(take(pages), b"body", b"value", [(f"n{i}", 0) for i in range(counters)])

    assert pages.lease(0, NAME) is None

    assert pages.misses(0) == 2
    pages.invalidate(0, [NAME])
    assert take(pages)


def test_waiting_for_a_lease_ends(pages: PageCache, server: redis.Redis, prefix: str) -> None:
    take(pages)
    assert pages.lease(0, NAME) is None
    assert 0 < server.pttl(f"{prefix}:{{0}}:lease:{NAME}") <= LEASE_MS


def test_a_counter_that_went_down_is_not_raised_by_a_late_publisher(
    log: RedisLog, pages: PageCache
) -> None:
    pages.store(take(pages), b"body", b"value", [("a", 100)])

    pages.set_tombstone(0, "a")
    pages.increase_counters(0, {"a": 101})
    assert answered(log) is None
    assert not pages.store(take(pages), b"body", b"value", [("a", 100)])

    assert answered(log) is None


def test_a_page_that_lost_a_counter_is_cached_again(
    log: RedisLog, pages: PageCache, server: redis.Redis, prefix: str
) -> None:
    pages.store(take(pages), b"body", b"value", [("a", 1), ("b", 1)])
    server.delete(f"{prefix}:{{0}}:counter:b")
    assert answered(log) is None
    assert pages.store(take(pages), b"body", b"value", [("a", 0), ("b", 2)])
    assert answered(log) == [b"value", b"1", b"2"]


def test_everything_expires_and_not_at_once(
    open_cache: Callable[..., PageCache], log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    pages = open_cache(seconds=100)
    for n in range(20):
        pages.store(take(pages, f"page:{n}"), b"body", b"value", [(f"n{n}", 1)])
    keys = [key for key in server.scan_iter(f"{prefix}:*") if not key.endswith(b"misses")]
    lives = {key: server.pttl(key) for key in keys}
    assert all(0 < life <= 200_000 for life in lives.values())
    of_pages = [life for key, life in lives.items() if b"cached" in key]
    assert len(of_pages) == 20
    assert max(of_pages) - min(of_pages) > 5_000
    assert max(of_pages) <= 100_000
    pages = open_cache(seconds=0.05)
    pages.store(take(pages, "brief"), b"body", b"value", [("a", 1)])
    wait_until(lambda: not server.exists(f"{prefix}:{{0}}:cached:2:brief"))
    assert answered(log, "brief") is None


def test_a_counter_that_is_too_high_expires_though_it_is_stored_again(
    open_cache: Callable[..., PageCache], log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    """As after a database was restored: what it counts now is less than what was published."""
    pages = open_cache(seconds=100)
    pages.store(take(pages), b"body", b"value", [("a", 9)])
    counter = f"{prefix}:{{0}}:counter:a"
    server.pexpire(counter, 50_000)

    pages.store(take(pages, "page:8"), b"body", b"other", [("a", 3)])

    assert answered(log, "page:8") == [b"other", b"9"]
    assert server.pttl(counter) <= 50_000


def test_memory_is_bounded(open_cache: Callable[..., PageCache], log: RedisLog) -> None:
    pages = open_cache(max_bytes=20_000)
    stored = [pages.store(take(pages, f"p{n}"), b"b", b"v" * 1000, []) for n in range(30)]
    assert stored[0]
    assert sum(stored) < 20
    assert not stored[-1]


def test_without_redis_nothing_is_asked_twice(
    open_cache: Callable[..., PageCache], log: RedisLog, proxy: Proxy
) -> None:
    pages = open_cache(proxy.url, timeout=0.2)
    proxy.fault = Fault.CUT_BEFORE
    with pytest.raises(Away):
        pages.lease(0, NAME)
    with pytest.raises(Refused):
        pages.invalidate(0, [NAME])
    assert log.breaker.is_open


def test_pages_are_discarded_all_at_once(log: RedisLog, pages: PageCache) -> None:
    for partition in (0, 1):
        pages.store(take(pages, partition=partition), b"body", b"value", [("a", 1)])
    slow = take(pages, "page:8")

    pages.discard(0)

    assert answered(log) is None
    assert log.length(0) == 0
    assert not pages.store(slow, b"body", b"other", [("a", 1)])
    assert log.append_cached(1, NAME, AT)
    assert pages.store(take(pages), b"body", b"new", [("a", 2)])
    assert answered(log) == [b"new", b"2"]
    pages.discard(0)
    assert answered(log) is None


def test_a_page_that_is_stored_late_shows_no_less_than_one_that_was_answered(
    log: RedisLog, pages: PageCache
) -> None:
    slow = take(pages)
    pages.raise_counters(0, {"a": 5})
    assert pages.store(slow, b"body", b"value", [("a", 4), ("b", 1)])
    assert answered(log) == [b"value", b"5", b"1"]
    pages.raise_counters(0, {"a": 7, "b": 0})
    assert answered(log) == [b"value", b"7", b"1"]
    pages.set_tombstone(0, "a")
    pages.raise_counters(0, {"a": 9})
    assert answered(log) is None


def test_an_error_from_redis_is_raised(pages: PageCache, server: redis.Redis, prefix: str) -> None:
    server.set(f"{prefix}:{{0}}:counter:a", "no number")
    pages.store(take(pages), b"body", b"value", [])
    with pytest.raises(LogError):
        pages.increase_counters(0, {"a": 1})

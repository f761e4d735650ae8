"""Prepared events: appended and answered in one call, and never an older one over a newer."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from footfall.cache.entries import LEASE_MS, MOST_NUMBERS, Lease, PageCache
from footfall.eventlog import Away, LogError, RedisLog, Refused
from loadtest.waiting import wait_until
from tests.footfall.eventlog.contract import AT, bodies, read
from tests.support.proxy import Fault, Proxy

NAME = "page:7"


@pytest.fixture
def open_shelf(url: str, prefix: str, log: RedisLog) -> Callable[..., PageCache]:
    return lambda url=url, **options: PageCache(url, prefix=prefix, breaker=log.breaker, **options)


@pytest.fixture
def shelf(open_shelf: Callable[..., PageCache]) -> PageCache:
    return open_shelf()


def take(shelf: PageCache, name: str = NAME, partition: int = 0) -> Lease:
    lease = shelf.lease(partition, name)
    assert lease is not None
    return lease


def answered(log: RedisLog, name: str = NAME) -> list[bytes] | None:
    appended = log.append_cached(0, name, AT)
    return list(appended.values) if appended else None


def test_a_prepared_event_is_appended_and_its_value_answered(
    log: RedisLog, shelf: PageCache
) -> None:
    body = bytes(range(256))
    assert shelf.put(take(shelf), body, b"value", [("a", 3), ("b", 2**62), ("a", 3)])

    assert answered(log) == [b"value", b"3", b"%d" % 2**62, b"3"]
    assert answered(log) is not None

    entries = read(log)
    assert bodies(entries) == [body, body]
    assert [entry.number and entry.number.sequence for entry in entries] == [0, 1]


def test_an_event_without_numbers(log: RedisLog, shelf: PageCache) -> None:
    shelf.put(take(shelf), b"body", b"value", [])
    assert answered(log) == [b"value"]


def test_numbers_are_raised_on_every_shelf_that_has_them(log: RedisLog, shelf: PageCache) -> None:
    shelf.put(take(shelf), b"body", b"value", [("a", 1), ("b", 1)])
    shelf.put(take(shelf, "page:8"), b"body", b"other", [("a", 1)])

    assert shelf.raise_to(0, {"a": 10, "c": 5}) == ["a"]

    assert answered(log) == [b"value", b"10", b"1"]
    assert answered(log, "page:8") == [b"other", b"10"]


def test_a_thousand_numbers_are_raised(log: RedisLog, shelf: PageCache) -> None:
    names = [f"n{i}" for i in range(MOST_NUMBERS)]
    assert shelf.put(take(shelf), b"body", b"value", [(name, 0) for name in names])
    assert shelf.raise_to(0, dict.fromkeys(names, 3)) == names
    assert answered(log) == [b"value"] + [b"3"] * MOST_NUMBERS
    assert not shelf.put(take(shelf, "page:8"), b"", b"", [(n, 0) for n in [*names, "more"]])


def test_of_two_publishers_the_slower_one_changes_nothing(log: RedisLog, shelf: PageCache) -> None:
    shelf.put(take(shelf), b"body", b"value", [("a", 1)])
    values = random.Random(3).sample(range(2, 60), 40)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda value: shelf.raise_to(0, {"a": value}), values))
    assert answered(log) == [b"value", str(max(values)).encode()]


def test_who_read_before_the_flush_does_not_put_an_older_number(
    log: RedisLog, shelf: PageCache
) -> None:
    shelf.put(take(shelf), b"body", b"value", [("a", 1)])
    slow = take(shelf, "page:8")
    shelf.raise_to(0, {"a": 10})

    shelf.put(slow, b"body", b"other", [("a", 1)])

    assert answered(log) == [b"value", b"10"]
    assert answered(log, "page:8") == [b"other", b"10"]


def test_who_read_before_a_change_puts_nothing_after_it(log: RedisLog, shelf: PageCache) -> None:
    slow = take(shelf)
    shelf.forget(0, [NAME])
    fast = take(shelf)
    assert shelf.put(fast, b"body", b"new", [])

    assert not shelf.put(slow, b"body", b"old", [])

    assert answered(log) == [b"new"]


def test_what_is_forgotten_is_gone(log: RedisLog, shelf: PageCache) -> None:
    shelf.put(take(shelf), b"body", b"value", [])
    shelf.forget(0, [NAME, "page:8"])
    assert answered(log) is None
    assert log.length(0) == 0


def test_a_lease_that_redis_lost_is_worth_nothing(
    shelf: PageCache, server: redis.Redis, prefix: str
) -> None:
    lease = take(shelf)
    server.delete(f"{prefix}:{{0}}:lease:{NAME}")
    assert not shelf.put(lease, b"body", b"value", [])


def test_one_prepares_and_the_others_wait_for_it(log: RedisLog, shelf: PageCache) -> None:
    mine = take(shelf)
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(shelf.lease, 0, NAME) for _ in range(4)]
        shelf.put(mine, b"body", b"value", [])
        assert [other.result(5) for other in others] == [None] * 4
    assert answered(log) == [b"value"]


def test_a_lease_that_is_given_back_is_taken_by_another(shelf: PageCache) -> None:
    mine = take(shelf)
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(shelf.lease, 0, NAME)
        shelf.release(mine)
        assert other.result(5) is not None


@pytest.mark.parametrize(("numbers", "max_bytes"), [(MOST_NUMBERS + 1, 2**24), (1, 2)])
def test_nobody_waits_for_what_cannot_be_put(
    open_shelf: Callable[..., PageCache],
    monkeypatch: pytest.MonkeyPatch,
    numbers: int,
    max_bytes: int,
) -> None:
    monkeypatch.setattr("footfall.cache.entries.PATIENCE", 50)
    shelf = open_shelf(max_bytes=max_bytes)
    assert not shelf.put(take(shelf), b"body", b"value", [(f"n{i}", 0) for i in range(numbers)])

    assert shelf.lease(0, NAME) is None

    assert shelf.misses(0) == 2
    shelf.forget(0, [NAME])
    assert take(shelf)


def test_nobody_waits_for_ever(shelf: PageCache, server: redis.Redis, prefix: str) -> None:
    take(shelf)
    assert shelf.lease(0, NAME) is None
    assert 0 < server.pttl(f"{prefix}:{{0}}:lease:{NAME}") <= LEASE_MS


def test_a_number_that_went_down_is_not_raised_by_who_comes_late(
    log: RedisLog, shelf: PageCache
) -> None:
    shelf.put(take(shelf), b"body", b"value", [("a", 100)])

    shelf.set_tombstone(0, "a")
    shelf.raise_to(0, {"a": 101})
    assert answered(log) is None
    assert not shelf.put(take(shelf), b"body", b"value", [("a", 100)])

    assert answered(log) is None


def test_what_lost_a_number_is_prepared_anew(
    log: RedisLog, shelf: PageCache, server: redis.Redis, prefix: str
) -> None:
    shelf.put(take(shelf), b"body", b"value", [("a", 1), ("b", 1)])
    server.delete(f"{prefix}:{{0}}:number:b")
    assert answered(log) is None
    assert shelf.put(take(shelf), b"body", b"value", [("a", 0), ("b", 2)])
    assert answered(log) == [b"value", b"1", b"2"]


def test_everything_expires_and_not_at_once(
    open_shelf: Callable[..., PageCache], log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    shelf = open_shelf(seconds=100)
    for n in range(20):
        shelf.put(take(shelf, f"page:{n}"), b"body", b"value", [(f"n{n}", 1)])
    keys = [key for key in server.scan_iter(f"{prefix}:*") if not key.endswith(b"misses")]
    lives = {key: server.pttl(key) for key in keys}
    assert all(0 < life <= 200_000 for life in lives.values())
    prepared = [life for key, life in lives.items() if b"prepared" in key]
    assert len(prepared) == 20
    assert max(prepared) - min(prepared) > 5_000
    assert max(prepared) <= 100_000
    shelf = open_shelf(seconds=0.05)
    shelf.put(take(shelf, "brief"), b"body", b"value", [("a", 1)])
    wait_until(lambda: not server.exists(f"{prefix}:{{0}}:prepared:brief"))
    assert answered(log, "brief") is None


def test_a_number_that_is_too_high_does_not_live_on_by_being_put_again(
    open_shelf: Callable[..., PageCache], log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    """As after a database was restored: what it counts now is less than what was published."""
    shelf = open_shelf(seconds=100)
    shelf.put(take(shelf), b"body", b"value", [("a", 9)])
    number = f"{prefix}:{{0}}:number:a"
    server.pexpire(number, 50_000)

    shelf.put(take(shelf, "page:8"), b"body", b"other", [("a", 3)])

    assert answered(log, "page:8") == [b"other", b"9"]
    assert server.pttl(number) <= 50_000


def test_memory_is_bounded(open_shelf: Callable[..., PageCache], log: RedisLog) -> None:
    shelf = open_shelf(max_bytes=20_000)
    put = [shelf.put(take(shelf, f"p{n}"), b"b", b"v" * 1000, []) for n in range(30)]
    assert put[0]
    assert sum(put) < 20
    assert not put[-1]


def test_without_redis_nothing_is_asked_twice(
    open_shelf: Callable[..., PageCache], log: RedisLog, proxy: Proxy
) -> None:
    shelf = open_shelf(proxy.url, timeout=0.2)
    proxy.fault = Fault.CUT_BEFORE
    with pytest.raises(Away):
        shelf.lease(0, NAME)
    with pytest.raises(Refused):
        shelf.forget(0, [NAME])
    assert log.breaker.is_open


def test_an_error_from_redis_is_raised(shelf: PageCache, server: redis.Redis, prefix: str) -> None:
    server.set(f"{prefix}:{{0}}:number:a", "no number")
    shelf.put(take(shelf), b"body", b"value", [])
    with pytest.raises(LogError):
        shelf.raise_to(0, {"a": 1})

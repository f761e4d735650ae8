"""The log on a Redis that fails over: a master, two replicas, three sentinels, as processes."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
import redis

from footfall.cache.entries import PageCache
from footfall.common.breaker import CircuitBreaker
from footfall.eventlog import Ambiguous, EventId, Full, Position, PositionLost, RedisLog, Refused
from footfall.eventlog.identities import Identities
from footfall.eventlog.sentinel import MasterPool, Named, master
from loadtest.common.waiting import wait_until
from tests.footfall.eventlog.contract import AT, bodies, read
from tests.support.redis_sentinel import Node, RedisSentinel

Open = Callable[..., RedisLog]


@pytest.fixture
def open_log(sentinel: RedisSentinel) -> Iterator[Open]:
    master.cache_clear()  # each test finds the master anew, as a process that starts
    prefix = f"test-{uuid4().hex}"
    with ExitStack() as stack:

        def open_log(**options: Any) -> RedisLog:
            log = RedisLog(sentinel.url, prefix=prefix, **options)
            stack.callback(log.close)
            return log

        yield open_log
    sentinel.mend()


def ids(log: RedisLog) -> Counter[EventId | None]:
    """Return how often each event is in the log."""
    return Counter(entry.event_id for entry in read(log))


def offset(node: Node) -> str:
    """Return how much it has of what a master has written."""
    said = node.replication()
    return said.get("slave_repl_offset") or said["master_repl_offset"]


def append_soon(log: RedisLog, body: bytes = b"a") -> EventId:
    """Append as soon as a master takes it."""
    found: list[EventId] = []

    def is_appended() -> bool:
        try:
            found.append(log.append(0, body, AT).event_id)
        except (Refused, Ambiguous):
            return False
        return True

    wait_until(is_appended, 20, "a master")
    return found[0]


def test_a_master_that_is_killed_takes_nothing_with_it_that_a_replica_had_to_have(
    sentinel: RedisSentinel, open_log: Open
) -> None:
    log = open_log(replicas=1)
    acknowledged: list[EventId] = []
    ended = threading.Event()

    def views() -> None:
        while not ended.wait(0.001):
            try:
                acknowledged.append(log.append(0, b"a", AT).event_id)
            except (Refused, Ambiguous):
                continue

    threads = [threading.Thread(target=views) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(acknowledged) > 200)
    old = sentinel.master()
    old.kill()
    sentinel.wait_promoted(old)
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before + 200, 20)
    ended.set()
    for thread in threads:
        thread.join()

    there = ids(log)
    assert set(acknowledged) <= set(there)
    assert set(there.values()) == {1}


def test_without_a_replica_an_event_is_in_the_log_and_not_acknowledged(
    sentinel: RedisSentinel, open_log: Open
) -> None:
    log, plain = open_log(replicas=1, timeout=0.2), open_log()
    acknowledged = log.append(0, b"a", AT).event_id
    with sentinel.cut_off(sentinel.master()), pytest.raises(Ambiguous) as refused:
        log.append(0, b"b", AT)

    assert [entry.event_id for entry in read(plain)] == [acknowledged, refused.value.event_id]
    assert append_soon(log)


def test_a_refusal_leaves_the_answers_of_a_connection_in_their_order(open_log: Open) -> None:
    log = open_log(replicas=1, max_bytes=10_000)
    log.append(0, b"a" * 20_000, AT)
    with pytest.raises(Full):
        log.append(0, b"a", AT)
    others = [log.append(1, body, AT) for body in (b"b", b"c")]

    assert [entry.id for entry in read(log, partition=1)] == [one.id for one in others]
    assert len({one.event_id.producer_id for one in others}) == 1


def test_a_script_that_the_server_has_forgotten_is_sent_again(
    sentinel: RedisSentinel, open_log: Open
) -> None:
    log = open_log(replicas=1)
    log.append(0, b"a", AT)
    sentinel.master().ask("SCRIPT", "FLUSH")

    log.append(0, b"b", AT)

    assert bodies(read(log)) == [b"a", b"b"]


def test_a_reader_that_is_ahead_of_the_promoted_server_reads_again_what_it_has(
    sentinel: RedisSentinel, open_log: Open
) -> None:
    log = open_log()
    kept = append_soon(log, b"kept")
    old = sentinel.master()
    wait_until(lambda: all(offset(one) == offset(old) for one in sentinel.replicas()))
    with sentinel.cut_off(old):
        log.append(0, b"lost", AT)
        position = Position.of(read(log)[-1])
        old.kill()
    sentinel.wait_promoted(old)
    new = append_soon(log, b"new")

    found = log.read(0, position, 100, 10**6)

    assert [entry.event_id for entry in found.entries] == [kept, new]
    assert bodies(found.entries) == [b"kept", b"new"]
    assert found.position_lost is PositionLost.STARTED_OVER
    assert log.pending(0, position) == 2


def test_after_a_switch_all_go_to_the_new_master_though_the_old_one_takes_writes(
    sentinel: RedisSentinel, open_log: Open
) -> None:
    log = open_log()
    identities = Identities(sentinel.url, log.prefix, 1.0)
    cache = PageCache(sentinel.url, prefix=log.prefix, breaker=CircuitBreaker())
    with redis.Redis(connection_pool=MasterPool.from_url(sentinel.url)) as client:
        before = append_soon(log)
        identities.add("one")
        assert client.set(f"{log.prefix}:one", "1")
        assert cache.misses(0) == 0
        old = sentinel.master()

        new = sentinel.switch()
        assert old.is_master
        # Once it is asked again: nothing has broken the connections.
        known = master(sentinel.url)
        wait_until(lambda: known.is_replaced(("127.0.0.1", old.port)), 20)
        after = append_soon(log)
        identities.add("two")
        assert client.set(f"{log.prefix}:two", "1")
        assert cache.lease(0, "page")

        assert old.is_master
        assert ids(log) == {before: 1, after: 1}
        assert before.producer_id == after.producer_id
        assert identities.names() == ["one", "two"]
        keys = [f"{log.prefix}:one", f"{log.prefix}:two", f"{log.prefix}:{{0}}:lease:page"]
        assert new.ask("EXISTS", *keys) == "3"
    identities.close()
    cache.close()


def test_a_server_that_a_sentinel_still_takes_for_the_master_is_not_used(
    sentinel: RedisSentinel, open_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = sentinel.replicas()[0]
    monkeypatch.setattr(
        "redis.sentinel.Sentinel.discover_master", lambda *_: ("127.0.0.1", replica.port)
    )

    with pytest.raises(Refused, match="is not the master"):
        open_log().append(0, b"a", AT)


@pytest.mark.parametrize("url", ["redis+sentinel://127.0.0.1:1/?service_name=footfall"])
def test_sentinels_that_are_away_refuse(url: str) -> None:
    log = RedisLog(url)

    with pytest.raises(Refused):
        log.append(0, b"a", AT)


def test_an_address_says_all_there_is_to_say() -> None:
    named = Named.by(
        "rediss+sentinel://u:p%40@one:7000,[::1]/3?service_name=shop&ssl_ca_certs=/ca.pem"
        "&sentinel_username=s&sentinel_password=q%26"
    )

    assert named.sentinels == [("one", 7000), ("::1", 26379)]
    assert named.service_name == "shop"
    assert named.options == {
        "username": "u", "password": "p@", "db": 3, "ssl_ca_certs": "/ca.pem",
    }  # fmt: skip
    assert named.sentinel_options == {
        "username": "s", "password": "q&", "ssl": True, "ssl_ca_certs": "/ca.pem",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("redis+sentinel://one:7000/", "service_name"),
        ("redis+sentinel://,one/?service_name=shop", "names no server"),
        ("redis+sentinel://one:many/?service_name=shop", "Port"),
        ("redis://one/?service_name=shop", "begins with redis"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(url: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Named.by(url)

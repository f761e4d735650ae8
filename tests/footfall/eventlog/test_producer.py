"""Appends through a proxy that swallows, delays and cuts: what the caller is told is true."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog import Ambiguous, EventId, Full, RedisLog, Refused
from footfall.eventlog.entries import UNKNOWN_DAY, day_of, new_producer_id
from footfall.eventlog.producer import Producer, ProducerPool
from footfall.eventlog.server import Server
from loadtest.common.waiting import wait_until
from tests.footfall.eventlog.contract import AT, bodies, read
from tests.support.proxy import Fault, Proxy

TIMEOUT = 0.2  # seconds


def producers(log: RedisLog) -> ProducerPool:
    assert isinstance(log._appending, Server)
    return log._appending.producers


@pytest.fixture
def proxied(open_log: Callable[..., RedisLog], proxy: Proxy) -> RedisLog:
    return open_log(proxy.url, timeout=TIMEOUT, breaker=CircuitBreaker(reset_after=0))


@pytest.mark.parametrize(
    ("fault", "landed"),
    [(Fault.SWALLOW, 1), (Fault.CUT_AFTER, 1), (Fault.CUT_BEFORE, 0), (Fault.HOLD, 0)],
)
def test_an_append_without_an_answer_is_ambiguous_and_sent_once(
    proxied: RedisLog, log: RedisLog, proxy: Proxy, fault: Fault, landed: int
) -> None:
    proxied.append(0, b"first", AT)
    proxy.fault = fault

    with pytest.raises(Ambiguous) as caught:
        proxied.append(0, b"second", AT)

    wait_until(lambda: log.length(0) == 1 + landed)
    entries = read(log)[1:]
    assert bodies(entries) == [b"second"] * landed
    assert [entry.event_id for entry in entries] == [caught.value.event_id] * landed


def test_an_append_that_lands_late_has_the_event_id_of_the_error(
    proxied: RedisLog, log: RedisLog, proxy: Proxy
) -> None:
    proxied.append(0, b"first", AT)
    proxy.fault = Fault.HOLD
    with pytest.raises(Ambiguous) as caught:
        proxied.append(0, b"second", AT)
    log.append(0, b"third", AT)

    proxy.release()

    wait_until(lambda: log.length(0) == 3)
    assert bodies(read(log)) == [b"first", b"third", b"second"]
    assert read(log)[-1].event_id == caught.value.event_id


def test_an_ambiguous_append_ends_its_producer(proxied: RedisLog, proxy: Proxy) -> None:
    before = proxied.append(0, b"a", AT).event_id
    proxy.fault = Fault.SWALLOW
    with pytest.raises(Ambiguous) as caught:
        proxied.append(0, b"b", AT)
    proxy.fault = Fault.NONE

    after = proxied.append(0, b"c", AT).event_id

    assert caught.value.event_id == before._replace(sequence=before.sequence + 1)
    assert after.producer_id != before.producer_id


def test_idle_producers_are_closed_by_two_threads_at_once(log: RedisLog) -> None:
    class TakenMeanwhile(deque[Producer]):
        """Whenever there seems to be one, another thread takes it."""

        def __bool__(self) -> bool:
            self.clear()
            return True

    log.append(0, b"a", AT)
    pool = producers(log)
    pool._idle = TakenMeanwhile(pool._idle)

    pool.close()

    assert not [*pool._idle]


def test_a_producer_without_further_sequence_numbers_is_replaced(log: RedisLog) -> None:
    first = log.append(0, b"a", AT).event_id
    sequences = producers(log)._idle[-1]._sequences
    sequences.update(dict.fromkeys(sequences, 2**32 - 1))

    last = log.append(0, b"b", AT).event_id
    next_one = log.append(0, b"c", AT).event_id

    assert last == EventId(first.producer_id, 2**32 - 1)
    assert next_one.producer_id != first.producer_id
    assert next_one.sequence == 0
    assert [entry.event_id for entry in read(log)] == [first, last, next_one]


def test_a_producer_lives_a_day(log: RedisLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state may be pruned seven days after its last event."""
    first, second = (log.append(0, b"a", AT).event_id for _ in range(2))
    a_day_later = time.monotonic() + 24 * 3600 + 1
    monkeypatch.setattr("footfall.eventlog.producer.time.monotonic", lambda: a_day_later)

    third = log.append(0, b"c", AT).event_id

    assert first.producer_id == second.producer_id != third.producer_id


def test_its_id_says_on_which_day_a_producer_began(open_log: Callable[..., RedisLog]) -> None:
    known, unknown = open_log(day=lambda: 777), open_log()

    assert day_of(known.append(0, b"a", AT).event_id.producer_id) == 777
    assert day_of(unknown.append(0, b"a", AT).event_id.producer_id) == UNKNOWN_DAY
    assert {new_producer_id(day) >> 63 for day in (0, UNKNOWN_DAY, 2**40)} == {0}


def test_a_refused_append_uses_no_sequence_up(open_log: Callable[..., RedisLog]) -> None:
    log = open_log(max_bytes=5_000)
    with suppress(Full):
        while True:
            log.append(0, b"a" * 100, AT)
    full = len(read(log))

    log.append(1, b"a", AT)
    for _ in range(3):
        with pytest.raises(Full):
            log.append(0, b"a", AT)
    log._max_bytes = 2**30
    after = log.append(0, b"a", AT).event_id

    assert after.sequence == full


def test_a_server_that_is_not_there_refuses(open_log: Callable[..., RedisLog]) -> None:
    with Proxy("redis://127.0.0.1:1") as proxy:
        url = proxy.url
    log = open_log(url)

    with pytest.raises(Refused):
        log.append(0, b"a", AT)
    assert log.breaker.is_open


def test_a_long_absence_uses_nothing_up(
    open_log: Callable[..., RedisLog], proxy: Proxy, log: RedisLog
) -> None:
    """redis-py's pool makes a hundred connections in its life, and no more."""
    log = open_log(proxy.url, breaker=CircuitBreaker(reset_after=0))
    proxy.fault = Fault.CUT_BEFORE
    for _ in range(150):
        with pytest.raises((Refused, Ambiguous)):
            log.append(0, b"lost", AT)
    proxy.fault = Fault.NONE

    log.append(0, b"a", AT)

    assert bodies(read(log)) == [b"a"]


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (redis.exceptions.OutOfMemoryError("command not allowed"), Refused),
        (redis.exceptions.ReadOnlyError("a replica"), Refused),
        (redis.exceptions.BusyLoadingError("loading"), Refused),
        (redis.ResponseError("MISCONF no disk"), Refused),
        (redis.ResponseError("WRONGTYPE"), Refused),
        (redis.ResponseError("FULL"), Full),
        (redis.ResponseError("server timed out"), Ambiguous),
        (redis.TimeoutError("no reply"), Ambiguous),
    ],
)
def test_an_error_that_is_not_known_to_be_a_refusal_is_ambiguous(
    log: RedisLog, monkeypatch: pytest.MonkeyPatch, reply: Exception, meaning: type[Exception]
) -> None:
    log.append(0, b"a", AT)

    def replies(*args: object, **kwargs: object) -> None:
        raise reply

    monkeypatch.setattr(producers(log)._idle[-1]._connection, "read_response", replies)
    with pytest.raises(meaning) as caught:
        log.append(0, b"b", AT)

    assert type(caught.value) is meaning


def test_after_the_circuit_opened_nothing_is_sent(
    open_log: Callable[..., RedisLog], log: RedisLog, proxy: Proxy
) -> None:
    now = [0.0]
    breaker = CircuitBreaker(reset_after=1, clock=lambda: now[0])
    proxied = open_log(proxy.url, timeout=TIMEOUT, breaker=breaker)
    proxy.fault = Fault.SWALLOW
    with pytest.raises((Ambiguous, Refused)):
        proxied.append(0, b"a", AT)
    proxy.fault = Fault.NONE
    landed = log.length(0)

    with pytest.raises(Refused, match="circuit breaker"):
        proxied.append(0, b"b", AT)
    assert log.length(0) == landed

    now[0] = 1.5
    proxied.append(0, b"c", AT)
    assert not breaker.is_open
    assert log.length(0) == landed + 1


def test_an_interrupt_in_mid_reply_ends_the_producer(
    log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is still on its way: the connection must not be used for the next append."""
    first = log.append(0, b"a", AT).event_id
    producer = producers(log)._idle[-1]

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(producer._connection, "read_response", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log.append(0, b"b", AT)

    assert log.append(0, b"c", AT).event_id.producer_id != first.producer_id


def test_a_user_who_may_not_wait_for_replicas_is_not_told_that_nothing_was_appended(
    open_log: Callable[..., RedisLog], log: RedisLog, url: str, server: redis.Redis, prefix: str
) -> None:
    rights = ("on", "nopass", "~*", "&*", "+@all", "-wait")
    server.execute_command("ACL", "SETUSER", prefix, *rights)  # type: ignore[no-untyped-call]
    try:
        limited = open_log(f"{url}{'&' if '?' in url else '?'}username={prefix}", replicas=1)
        with pytest.raises(Ambiguous) as caught:
            limited.append(0, b"a", AT)
    finally:
        server.execute_command("ACL", "DELUSER", prefix)  # type: ignore[no-untyped-call]

    assert [entry.event_id for entry in read(log)] == [caught.value.event_id]


FORK = """
import os, sys
from footfall.eventlog import RedisLog
log = RedisLog(sys.argv[1], prefix=sys.argv[2])
print(log.append(0, b"parent", 1).event_id.producer_id, flush=True)
if os.fork() == 0:
    print(log.append(0, b"child", 1).event_id.producer_id, flush=True)
    os._exit(0)
os.wait()
print(log.append(0, b"parent", 1).event_id.producer_id, flush=True)
"""


def test_a_forked_process_has_its_own_producers(log: RedisLog, url: str, prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, url, prefix],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )

    before, child, after = done.stdout.split()
    assert before == after != child
    assert bodies(read(log)) == [b"parent", b"child", b"parent"]

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from footfall.eventlog import Away, LogError, Refused
from loadtest.common.waiting import wait_until
from tests.support.proxy import Fault, Proxy
from tests.support.redis_cluster import RedisCluster
from uploads.queue import redis_queue
from uploads.queue.redis_queue import Entry, RedisQueue

AT = 1_763_683_200_000
OpenQueue = Callable[..., RedisQueue]


@pytest.fixture
def url() -> str:
    return os.environ["REDIS_URL"]


@pytest.fixture
def open_queue(url: str, prefix: str, server: redis.Redis) -> Iterator[OpenQueue]:
    """Opens queues of the test's own prefix and closes them."""
    queues: list[RedisQueue] = []

    def open_queue(url: str = url, **options: Any) -> RedisQueue:
        queues.append(RedisQueue(url, name="errands", prefix=prefix, **options))
        return queues[-1]

    yield open_queue
    for one in queues:
        one.close()


@pytest.fixture
def errands(open_queue: OpenQueue) -> RedisQueue:
    return open_queue()


def first(errands: RedisQueue) -> Entry:
    entry = errands.first()
    assert entry
    return entry


def test_an_entry_is_there_until_it_is_removed(errands: RedisQueue) -> None:
    one = errands.append(b"one", AT)
    errands.append(b"two", AT + 1)

    entry = first(errands)
    assert entry == first(errands) == (one, AT, b"one")
    assert errands.length() == 2

    errands.remove(entry)
    errands.remove(entry)
    assert errands.length() == 1
    assert first(errands).body == b"two"


def test_the_keys_share_a_hash_tag(errands: RedisQueue, server: redis.Redis, prefix: str) -> None:
    errands.append(b"one", AT)
    errands.move_to_dead_letters(first(errands), "no reason")
    errands.append(b"two", AT)

    assert set(server.scan_iter(f"{prefix}:{{*")) == {
        f"{prefix}:{{errands}}:queue".encode(),
        f"{prefix}:{{errands}}:dead".encode(),
    }


def test_a_dead_letter_tells_what_it_was(errands: RedisQueue) -> None:
    one = errands.append(b"one", AT)
    entry = first(errands)

    errands.move_to_dead_letters(entry, "it is bad \N{SNOWMAN}")
    errands.move_to_dead_letters(entry, "once more")

    (letter,) = errands.dead_letters()
    assert letter[1:] == (AT, b"one", "it is bad \N{SNOWMAN}", one)
    assert (errands.length(), errands.count_dead_letters()) == (0, 1)
    assert errands.delete_dead_letters([letter.id]) == 1
    assert errands.delete_dead_letters([]) == errands.delete_dead_letters([letter.id]) == 0
    assert errands.dead_letters() == []


def test_the_latest_dead_letters_are_kept(open_queue: OpenQueue) -> None:
    errands = open_queue(max_dead_letters=100)
    for number in range(500):
        errands.append(str(number).encode(), AT)
        errands.move_to_dead_letters(first(errands), "bad")

    assert 100 <= errands.count_dead_letters() <= 300
    assert errands.dead_letters(1)[0].body == b"499"


def test_the_latest_entries_are_kept(errands: RedisQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs, and the rows say the same."""
    monkeypatch.setattr(redis_queue, "MAX_ENTRIES", 100)
    for number in range(500):
        errands.append(str(number).encode(), AT)

    assert 100 <= errands.length() <= 300


def test_entries_that_a_version_before_has_read_are_there(
    errands: RedisQueue, server: redis.Redis
) -> None:
    """It took them as one of a consumer group, and died before it acknowledged them."""
    errands.append(b"one", AT)
    server.xgroup_create(errands.key, "workers", "0")
    server.xreadgroup("workers", "old", {errands.key: ">"})

    errands.remove(first(errands))

    assert errands.first() is None


@pytest.mark.parametrize("time", [b"9" * 5000, b"9" * 25, b"-5", b"soon", b"\xff", b""])
def test_an_absurd_time_is_none(errands: RedisQueue, server: redis.Redis, time: bytes) -> None:
    server.xadd(errands.key, {"t": time, "b": b"one"})

    entry = first(errands)

    assert entry[1:] == (-1, b"one")
    server.xadd(errands.dead_letters_key, {"i": "1-1", "t": time, "b": b"one", "r": "why"})
    assert errands.dead_letters()[0][1:] == (-1, b"one", "why", "1-1")


def test_a_dead_letter_of_another_make_is_shown_whole(
    errands: RedisQueue, server: redis.Redis
) -> None:
    server.xadd(errands.dead_letters_key, {"hello": "world"})

    assert errands.dead_letters()[0][1:] == (-1, b"hello world", "", "")


def test_an_entry_of_another_make_comes_as_one_body(
    errands: RedisQueue, server: redis.Redis
) -> None:
    server.xadd(errands.key, {"hello": "world"})

    entry = first(errands)

    assert entry[1:] == (-1, b"hello world")
    errands.move_to_dead_letters(entry, "unknown")
    assert errands.dead_letters()[0].body == b"hello world"


def test_an_append_is_sent_once_and_not_at_all_while_the_circuit_is_open(
    open_queue: OpenQueue, proxy: Proxy, server: redis.Redis
) -> None:
    errands = open_queue(proxy.url, timeout=0.2)
    errands.append(b"none", AT)  # connected now, and signed in where there is a password
    proxy.fault = Fault.SWALLOW

    with pytest.raises(Away):
        errands.append(b"one", AT)
    with pytest.raises(Refused, match="circuit breaker"):
        errands.append(b"two", AT)

    assert server.xlen(errands.key) == 2
    proxy.fault = Fault.NONE
    wait_until(lambda: not errands.breaker.is_open or appended(errands))
    assert server.xlen(errands.key) == 3


def appended(errands: RedisQueue) -> bool:
    try:
        return bool(errands.append(b"three", AT))
    except LogError:
        return False


def test_redis_that_is_away_is_away_for_workers_too(open_queue: OpenQueue) -> None:
    errands = open_queue("redis://127.0.0.1:1")

    with pytest.raises(Away):
        errands.dead_letters()
    with pytest.raises(Away):
        errands.append(b"x", AT)
    with pytest.raises(Refused):
        errands.first()  # no file waits for Redis a second time


def test_a_key_that_is_no_stream_is_an_error(errands: RedisQueue, server: redis.Redis) -> None:
    server.set(errands.key, "not a stream")

    with pytest.raises(LogError, match="WRONGTYPE"):
        errands.first()


def test_the_queue_of_work_lies_in_one_slot(cluster: RedisCluster, prefix: str) -> None:
    queue = RedisQueue(cluster.url, name="uploads", prefix=prefix)
    for body in (b"one", b"two"):
        queue.append(body, AT)

    queue.remove(first(queue))
    queue.move_to_dead_letters(first(queue), "broken")
    (letter,) = queue.dead_letters()

    assert (letter.body, letter.reason) == (b"two", "broken")
    assert (queue.length(), queue.count_dead_letters()) == (0, 1)
    assert queue.delete_dead_letters([letter.id]) == 1
    queue.close()

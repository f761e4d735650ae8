import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from footfall.eventlog import Away, LogError, Refused, connections
from loadtest.common.waiting import wait_until
from tests.support.proxy import Fault, Proxy
from tests.support.redis_cluster import RedisCluster
from uploads.queue import redis_queue
from uploads.queue.redis_queue import Delivery, RedisQueue

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


def take(errands: RedisQueue, consumer: str = "a") -> Delivery:
    delivery = errands.read(consumer)
    assert delivery
    return delivery


def test_an_entry_is_taken_once_and_leaves_when_it_is_done(
    errands: RedisQueue, server: redis.Redis
) -> None:
    first = errands.append(b"one", AT)
    errands.append(b"two", AT + 1)

    delivery = take(errands)
    assert delivery == (first, AT, b"one")
    assert take(errands, "b").body == b"two"
    assert errands.read("a") is None

    errands.acknowledge(delivery)
    errands.acknowledge(delivery)
    assert errands.length() == server.xlen(errands.key) == 1
    left = errands.claim("a", 0)
    assert left
    assert left.body == b"two"


def test_the_keys_share_a_hash_tag(errands: RedisQueue, server: redis.Redis, prefix: str) -> None:
    errands.append(b"one", AT)
    errands.move_to_dead_letters(take(errands), "no reason")

    assert set(server.scan_iter(f"{prefix}:{{*")) == {
        f"{prefix}:{{errands}}:queue".encode(),
        f"{prefix}:{{errands}}:dead".encode(),
    }


def test_many_workers_take_each_entry_once(errands: RedisQueue) -> None:
    for number in range(200):
        errands.append(str(number).encode(), AT)

    def drain(consumer: str) -> list[int]:
        bodies = []
        while delivery := errands.read(consumer):
            bodies.append(int(delivery.body))
            errands.acknowledge(delivery)
        return bodies

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(drain, "abcdefgh"))

    assert sorted(number for numbers in taken for number in numbers) == list(range(200))
    assert all(bodies == sorted(bodies) for bodies in taken)
    assert errands.length() == 0


def test_only_what_was_taken_and_left_is_taken_over(errands: RedisQueue) -> None:
    errands.append(b"left", AT)
    errands.append(b"waits", AT)
    left = take(errands)

    assert errands.claim("b", 60) is None
    wait_until(lambda: errands.claim("b", 0.05) == left)
    assert errands.claim("c", 60) is None  # it is b's now
    assert take(errands, "c").body == b"waits"


def test_what_is_kept_is_not_taken_over(errands: RedisQueue) -> None:
    errands.append(b"long work", AT)
    delivery = take(errands)

    for _ in range(10):
        time.sleep(0.02)
        errands.refresh(delivery, "a")
        assert errands.claim("b", 0.15) is None


def test_one_that_was_left_is_found_behind_many_that_are_kept(errands: RedisQueue) -> None:
    for number in range(40):
        errands.append(str(number).encode(), AT)
    taken = [take(errands) for _ in range(40)]
    time.sleep(0.5)
    for delivery in taken[:-1]:
        errands.refresh(delivery, "a")

    assert errands.claim("b", 0.5) == taken[-1]


def test_a_dead_letter_tells_what_it_was(errands: RedisQueue) -> None:
    first = errands.append(b"one", AT)
    delivery = take(errands)

    errands.move_to_dead_letters(delivery, "it is bad \N{SNOWMAN}")
    errands.move_to_dead_letters(delivery, "once more")

    (letter,) = errands.dead_letters()
    assert letter[1:] == (AT, b"one", "it is bad \N{SNOWMAN}", first)
    assert (errands.length(), errands.count_dead_letters()) == (0, 1)
    assert errands.claim("b", 0) is None
    assert errands.delete_dead_letters([letter.id]) == 1
    assert errands.delete_dead_letters([]) == errands.delete_dead_letters([letter.id]) == 0
    assert errands.dead_letters() == []


def test_an_entry_that_the_queue_has_lost_is_buried_without_an_id(errands: RedisQueue) -> None:
    errands.move_to_dead_letters(Delivery("", AT, b"one"), "gone")

    assert errands.dead_letters()[0][1:] == (AT, b"one", "gone", "")


def test_the_latest_dead_letters_are_kept(open_queue: OpenQueue) -> None:
    errands = open_queue(max_dead_letters=100)
    for number in range(500):
        errands.move_to_dead_letters(Delivery("", AT, str(number).encode()), "bad")

    assert 100 <= errands.count_dead_letters() <= 300
    assert errands.dead_letters(1)[0].body == b"499"


def test_what_is_in_the_queue_is_present(
    errands: RedisQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_queue, "IDS_PER_CALL", 2)
    ids = [errands.append(b"x", AT) for _ in range(5)]
    errands.acknowledge(take(errands))
    take(errands)

    assert errands.existing([*ids, "1-1"]) == set(ids[1:])
    assert errands.existing([]) == set()


def test_what_waited_before_redis_was_emptied_is_gone_and_the_queue_goes_on(
    errands: RedisQueue, server: redis.Redis
) -> None:
    errands.append(b"before", AT)
    delivery = take(errands)
    server.delete(errands.key)

    with pytest.raises(LogError, match="NOGROUP"):
        errands.refresh(delivery, "a")
    errands.acknowledge(delivery)
    assert errands.existing([delivery.id]) == set()
    assert errands.claim("a", 0) is None
    errands.append(b"after", AT)
    assert take(errands).body == b"after"


def test_entries_from_before_the_group_was_made_are_taken(
    errands: RedisQueue, server: redis.Redis
) -> None:
    errands.append(b"one", AT)
    take(errands)
    server.xgroup_destroy(errands.key, redis_queue.GROUP)

    assert take(errands).body == b"one"


def test_an_entry_of_another_make_comes_as_one_body(
    errands: RedisQueue, server: redis.Redis
) -> None:
    server.xadd(errands.key, {"hello": "world"})

    delivery = take(errands)

    assert delivery[1:] == (-1, b"hello world")
    errands.move_to_dead_letters(delivery, "unknown")
    assert errands.dead_letters()[0].body == b"hello world"


def test_what_was_taken_and_removed_by_hand_is_let_go(
    errands: RedisQueue, server: redis.Redis
) -> None:
    ids = [errands.append(b"x", AT) for _ in range(3)]
    for _ in range(3):
        take(errands)
    server.xdel(errands.key, ids[0], ids[1])

    delivery = errands.claim("b", 0)

    assert delivery
    assert delivery.id == ids[2]
    assert server.xpending(errands.key, redis_queue.GROUP)["pending"] == 1


def test_the_same_on_redis_6_2_which_answers_with_holes(
    errands: RedisQueue, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two values instead of three, and entries that are gone as nothing, or as two nothings."""
    ids = [errands.append(b"x", AT) for _ in range(3)]
    for _ in range(3):
        take(errands)
    server.xdel(errands.key, ids[0], ids[1])
    answers = iter([[b"1-1", [None]], [b"2-2", [[None, None]]], [b"0-0", []]])

    def answer(pool: Any, *command: Any) -> Any:
        return next(answers) if command[0] == "XAUTOCLAIM" else connections.call(pool, *command)

    monkeypatch.setattr(redis_queue, "call", answer)

    assert errands.claim("b", 0) is None
    assert server.xpending(errands.key, redis_queue.GROUP)["pending"] == 1


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
        errands.read("a")
    with pytest.raises(Away):
        errands.append(b"x", AT)


def test_redis_refusing_is_no_lost_group(errands: RedisQueue, server: redis.Redis) -> None:
    server.set(errands.key, "not a stream")

    with pytest.raises(LogError, match="WRONGTYPE"):
        errands.read("a")


def test_the_queue_of_work_lies_in_one_slot(cluster: RedisCluster, prefix: str) -> None:
    queue = RedisQueue(cluster.url, name="uploads", prefix=prefix)
    for body in (b"one", b"two"):
        queue.append(body, AT)

    one, two = queue.read("a"), queue.read("b")
    assert one
    assert two
    queue.refresh(one, "a")
    queue.acknowledge(one)
    taken = queue.claim("a", idle_seconds=0)
    assert taken == two
    queue.move_to_dead_letters(two, "broken")
    (letter,) = queue.dead_letters()

    assert (letter.body, letter.reason) == (b"two", "broken")
    assert queue.existing([one.id, two.id]) == set()
    assert (queue.length(), queue.count_dead_letters(), queue.delete_dead_letters([letter.id])) == (
        0,
        1,
        1,
    )
    queue.close()

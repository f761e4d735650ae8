from collections.abc import Callable

import pytest
import redis

from footfall.eventlog import Position, RedisLog, Refused
from footfall.eventlog.server import Server
from tests.footfall.eventlog.contract import AT, LogContract, bodies, read


class TestRedisLog(LogContract):
    @pytest.fixture
    def small_log(self, open_log: Callable[..., RedisLog]) -> RedisLog:
        return open_log(max_bytes=10_000, retention_bytes=0)


def test_the_keys_of_a_partition_share_a_hash_tag(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    log.append(5, b"a", AT)

    assert all(b":{5}:" in key for key in server.scan_iter(f"{prefix}:*"))


def test_an_entry_that_was_not_made_by_a_producer_has_no_event_id(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    key = f"{prefix}:{{0}}:log"
    server.xadd(key, {"hello": "world"})
    server.xadd(key, {"s": -1, "n": 0, "t": 0, "o": 0, "b": "negative producer"})
    server.xadd(key, {"s": 1, "n": 2**63, "t": 0, "o": 0, "b": "beyond bigint"})
    server.xadd(key, {"s": "x", "n": 0, "t": 0, "o": 0, "b": "no integer"})
    log.append(0, b"a", AT)

    entries = read(log)

    assert [entry.event_id is None for entry in entries] == [True] * 4 + [False]
    assert entries[0].body == b"hello world"
    assert bodies(read(log, Position.of(entries[3]))) == [b"a"]
    assert log.trim(0, Position.of(entries[3])) == 0


def test_a_stream_that_starts_over_is_read_from_its_beginning(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    """Redis comes back empty and its clock an hour behind: lower ids than the position's."""
    log.append(0, b"before", AT)
    entry = read(log)[0]
    ahead = Position(b"9999999999999-0", entry.event_id, entry.offset)
    server.delete(f"{prefix}:{{0}}:log", f"{prefix}:{{0}}:ordinal")
    log.append(0, b"after", AT)

    assert bodies(read(log, ahead)) == [b"after"]
    assert log.pending(0, ahead) == 1
    assert log.trim(0, ahead) == 0


def test_ids_that_run_ahead_of_the_clock_are_followed(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    server.xadd(f"{prefix}:{{0}}:log", {"any": "thing"}, id="9999999999999-5")

    log.append(0, b"a", AT)

    assert read(log)[-1].id == b"9999999999999-6"


def test_retention_keeps_recent_entries_before_the_position(
    open_log: Callable[..., RedisLog],
) -> None:
    log = open_log(retention_seconds=600)
    for _ in range(1000):
        log.append(0, b"a", AT)

    assert log.trim(0, Position.of(read(log)[-1])) == 0
    assert log.length(0) == 1000


def test_retention_gives_way_to_its_size(
    open_log: Callable[..., RedisLog], server: redis.Redis, prefix: str
) -> None:
    log = open_log(retention_seconds=600, retention_bytes=10_000)
    for _ in range(1000):
        log.append(0, b"a" * 100, AT)

    assert 500 < log.trim(0, Position.of(read(log)[-1])) < 1000
    assert 5_000 < (server.memory_usage(f"{prefix}:{{0}}:log") or 0) <= 10_000


def test_redis_refusing_is_refused_and_opens_the_circuit(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    key = f"{prefix}:{{0}}:log"
    server.set(key, "not a stream")

    with pytest.raises(Refused, match="WRONGTYPE"):
        log.append(0, b"a", AT)
    with pytest.raises(Refused, match="circuit breaker"):
        log.append(0, b"a", AT)

    assert server.get(key) == b"not a stream"


def test_a_read_that_was_interrupted_leaves_no_answer_to_the_next(
    log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(0, b"zero", AT)
    log.append(1, b"one", AT)

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    read(log, partition=0)
    assert isinstance(log._reading, Server)
    pool = log._reading.pool
    connection = pool.get_connection()
    pool.release(connection)
    with monkeypatch.context() as patch:
        patch.setattr(connection, "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(log, partition=0)

    assert bodies(read(log, partition=1)) == [b"one"]


def test_scripts_are_sent_again_to_a_redis_that_has_lost_them(
    log: RedisLog, server: redis.Redis
) -> None:
    log.append(0, b"a", AT)
    server.script_flush()
    log.append(0, b"b", AT)
    server.script_flush()
    log.trim(0, Position.of(read(log)[-1]))

    assert [entry.body for entry in read(log)] == [b"a", b"b"]

import struct
from collections.abc import Callable
from typing import Any

import pytest
import redis

from footfall.eventlog import EventId, Position, RedisLog, Refused, stream
from footfall.eventlog.entries import NO_PRODUCER
from footfall.eventlog.server import Server
from footfall.events import Meta, encode, encode_meta
from tests.footfall.eventlog.contract import AT, FOREVER, LogContract, bodies, read


class TestRedisLog(LogContract):
    @pytest.fixture
    def small_log(self, open_log: Callable[..., RedisLog]) -> RedisLog:
        return open_log(max_bytes=10_000, retention_bytes=0)


def test_the_keys_of_a_partition_share_a_hash_tag(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    log.append(5, b"a", AT)

    assert all(b":{5}:" in key for key in server.scan_iter(f"{prefix}:*"))


def header(
    offset: int = 1, producer_id: int = 2, sequence: int = 3, at: int = AT, meta: bytes = b""
) -> bytes:
    return struct.pack(">QQIQ", offset, producer_id, sequence, at) + meta


FOREIGN: list[dict[Any, Any]] = [
    {"hello": "world"},
    {"s": -1, "n": 0, "t": 0, "o": 0, "b": "negative producer"},
    {"s": 1, "n": 2**63, "t": 0, "o": 0, "b": "beyond bigint"},
    {"s": "x", "n": 0, "t": 0, "o": 0, "b": "no integer"},
    {"h": "short", "b": "a"},
    {"h": header()[:-1], "b": "one byte short"},
    {"h": header(producer_id=2**64 - 1), "b": "a"},
    {"b": "a", "h": header()},
    {"h": header(), "b": "a", "c": "c"},
    {"h": header()},
]


def test_an_entry_that_was_not_made_by_a_producer_has_no_event_id(
    log: RedisLog, server: redis.Redis, prefix: str
) -> None:
    key = f"{prefix}:{{0}}:log"
    for fields in FOREIGN:
        server.xadd(key, fields)
    log.append(0, b"a", AT)

    entries = read(log)

    assert [entry.event_id is None for entry in entries] == [True] * len(FOREIGN) + [False]
    assert entries[0].body == b"hello world"
    assert {(entry.at, entry.offset, entry.meta) for entry in entries[:-1]} == {(-1, 0, b"")}
    last = Position.of(entries[-2])
    assert bodies(read(log, last)) == [b"a"]
    assert log.trim(0, last) == 0


@pytest.mark.parametrize("fields", FOREIGN)
def test_each_of_them_alone_is_found_among_others(
    log: RedisLog, server: redis.Redis, prefix: str, fields: dict[Any, Any]
) -> None:
    log.append(0, b"a", AT)
    server.xadd(f"{prefix}:{{0}}:log", fields)
    log.append(0, b"b", AT)

    columns = log.read(0, None, 10, FOREVER).columns

    assert [producer_id == NO_PRODUCER for producer_id in columns.producer_ids] == [
        False,
        True,
        False,
    ]
    assert columns.offsets == [1, 0, 2]


@pytest.mark.parametrize(
    "fields",
    [
        {"s": 1, "n": 0, "t": AT, "o": 2**63, "b": "a"},
        {"s": 1, "n": 0, "t": AT, "o": -1, "b": "a"},
        {"s": 1, "n": 0, "t": 2**63, "o": 1, "b": "a"},
        {"h": header(offset=2**63), "b": "a"},
        {"h": header(offset=2**64 - 1), "b": "a"},
        {"h": header(at=2**64 - 1), "b": "a"},
    ],
)
def test_an_offset_or_a_time_that_is_out_of_range_makes_no_other_event_of_it(
    log: RedisLog, server: redis.Redis, prefix: str, fields: dict[Any, Any]
) -> None:
    log.append(0, b"before", AT)
    server.xadd(f"{prefix}:{{0}}:log", fields)
    log.append(0, b"after", AT)

    entries = read(log)

    assert all(entry.event_id for entry in entries)
    assert bodies(entries) == [b"before", b"a", b"after"]
    assert all(0 <= number < 2**63 for entry in entries for number in (entry.at, entry.offset))
    for number, entry in enumerate(entries):
        position = Position.of(entry)
        assert bodies(read(log, position)) == [b"before", b"a", b"after"][number + 1 :]
        assert log.pending(0, position) == 2 - number


ORDINALS: dict[str, Callable[[redis.Redis, str], Any]] = {
    "deleted": lambda server, key: server.delete(key),
    "of a wrong type": lambda server, key: (server.delete(key), server.lpush(key, "x")),
    "no number": lambda server, key: server.set(key, "x"),
    "too low": lambda server, key: server.set(key, 1),
    "too high": lambda server, key: server.set(key, 1_000_000),
    "negative": lambda server, key: server.set(key, -(2**63)),
    "at its end": lambda server, key: server.set(key, 2**63 - 1),
}


@pytest.mark.parametrize("what", ORDINALS)
def test_what_waits_is_known_whatever_becomes_of_the_ordinal(
    log: RedisLog, server: redis.Redis, prefix: str, what: str
) -> None:
    for _ in range(5):
        log.append(0, b"a", AT)
    position = Position.of(read(log)[1])

    ORDINALS[what](server, f"{prefix}:{{0}}:ordinal")
    for _ in range(5):
        log.append(0, b"a", AT)

    assert log.pending(0, position) == 8
    assert log.pending(0, Position.of(read(log)[7])) == 2
    assert [entry.event_id is not None for entry in read(log)] == [True] * 10


class Version1:
    """A producer of the version before: it writes a field for each number, as text."""

    def __init__(self, server: redis.Redis, prefix: str) -> None:
        self._server = server
        self._keys = [f"{prefix}:{{0}}:{name}" for name in ("log", "ordinal")]
        self.event_id = EventId(2**63 - 9, 2**33)

    def append(self, body: bytes) -> EventId:
        stream, offset = self._keys
        event_id = self.event_id
        self.event_id = event_id._replace(sequence=event_id.sequence + 1)
        fields: dict[Any, Any] = {
            "s": event_id.producer_id,
            "n": event_id.sequence,
            "t": AT,
            "o": self._server.incr(offset),
            "b": body,
        }
        self._server.xadd(stream, fields)
        return event_id


@pytest.fixture
def version_1(server: redis.Redis, prefix: str) -> Version1:
    return Version1(server, prefix)


def test_entries_of_version_1_are_read_too(log: RedisLog, version_1: Version1) -> None:
    first = version_1.append(b"a")
    second = log.append(0, b"b", AT + 1, b"meta").event_id
    third = version_1.append(b"c")

    entries = read(log)

    assert [entry.event_id for entry in entries] == [first, second, third]
    assert [entry.at for entry in entries] == [AT, AT + 1, AT]
    assert [entry.offset for entry in entries] == [1, 2, 3]
    assert log.read(0, None, 10, FOREVER).columns.sparse == {first.producer_id}
    assert [entry.meta for entry in entries] == [b"", b"meta", b""]
    assert bodies(entries) == [b"a", b"b", b"c"]
    for number, entry in enumerate(entries):
        position = Position.of(entry)
        assert bodies(read(log, position)) == [b"a", b"b", b"c"][number + 1 :]
        assert log.pending(0, position) == 2 - number


@pytest.mark.parametrize("version", [1, 2])
def test_a_mixed_stream_is_trimmed_at_the_expected_entry_alone(
    log: RedisLog, version_1: Version1, version: int
) -> None:
    for _ in range(150):
        version_1.append(b"a")
        log.append(0, b"a", AT)
    position = Position.of(read(log)[250 if version == 1 else 251])
    assert position.event_id is not None
    assert (position.event_id.producer_id == version_1.event_id.producer_id) == (version == 1)
    producer_id, sequence = position.event_id

    for other in (EventId(producer_id + 1, sequence), EventId(producer_id, sequence + 1)):
        assert log.trim(0, position._replace(event_id=other)) == 0
    assert log.trim(0, position) > 0

    assert len(read(log, position)) == 300 - 251 - (version == 2)


def test_a_chunk_of_one_version_follows_another(
    log: RedisLog, version_1: Version1, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ENTRIES_PER_CALL", 2)
    for body in (b"a", b"b", b"c"):
        version_1.append(body)
    for body in (b"d", b"e", b"f", b"g"):
        log.append(0, body, AT, body)

    columns = log.read(0, None, 6, FOREVER).columns

    assert columns.bodies == [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert columns.offsets == [1, 2, 3, 4, 5, 6]
    assert columns.metas == [b"", b"", b"", b"d", b"e", b"f"]


@pytest.mark.parametrize(
    ("meta", "most"), [(Meta(), 110), (Meta(visitor=2**63 + 1, agent=2**64 - 1), 140)]
)
def test_an_event_takes_little_memory(
    log: RedisLog, server: redis.Redis, prefix: str, meta: Meta, most: int
) -> None:
    """Of a page with fifteen contents, whose ids follow each other as they mostly do."""
    body = encode({"pages.content": range(1_500_001, 1_500_016), "pages.page": [100_001]})
    for _ in range(2_000):
        log.append(0, body, AT, encode_meta(meta))

    taken = server.memory_usage(f"{prefix}:{{0}}:log", samples=0)
    assert taken
    assert taken / 2_000 <= most


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
    log = open_log(retention_seconds=600, retention_bytes=50_000)
    for _ in range(1000):
        log.append(0, b"a" * 100, AT)

    assert 500 < log.trim(0, Position.of(read(log)[-1])) < 1000
    assert 25_000 < (server.memory_usage(f"{prefix}:{{0}}:log") or 0) <= 50_000


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

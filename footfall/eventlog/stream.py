"""The log on Redis Streams: one stream per partition."""

from collections.abc import Callable, Sequence
from typing import Any

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.cluster import is_cluster, servers
from footfall.eventlog.condition import Condition, Conditions
from footfall.eventlog.connections import call, evaluate
from footfall.eventlog.entries import (
    Appended,
    Columns,
    Position,
    PositionLost,
    Slice,
)
from footfall.eventlog.envelope import columns_of, pack_event_id
from footfall.eventlog.lua_scripts import APPEND, APPEND_CACHED, TRIM, Script
from footfall.eventlog.partitions import cached, partition_key
from footfall.eventlog.producer import unknown_day

KEYS = ("log", "ordinal")  # of a partition: the stream, and the offset of its last entry
FAILURE, FAILURE_SECONDS = "failure", 60
RUNNER, RUNNER_SECONDS = "runner", 15
ENTRIES_PER_CALL = 2_000  # bounds the memory that one answer takes


class RedisLog:
    """An ordered log on Redis 6.2 or later, or Valkey. Safe for threads, and across a fork.

    Every method concerns one partition, numbered from 0. Those that only read raise LogError.

    url: `redis://...`, `rediss://...` or `unix://...`; of a cluster: see `cluster.Topology`; of
        sentinels: see `sentinel.Named`.
    max_bytes: how much of Redis' memory one partition may take before it is Full.
    retention_seconds, retention_bytes: what trimming keeps before the position.
    timeout: seconds that an append may take.
    breaker: for a single server; each server of a cluster has its own.
    day: returns the present day, for the ids of new producers: see `entries.day_of`.
    replicas: how many must have an event before it is acknowledged. If they do not answer in half
        of `timeout`, the append is Ambiguous.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "footfall",
        max_bytes: int = 64 * 1024**2,
        retention_seconds: float = 600,
        retention_bytes: int = 16 * 1024**2,
        timeout: float = 1.0,
        breaker: CircuitBreaker | None = None,
        day: Callable[[], int] = unknown_day,
        replicas: int = 0,
    ) -> None:
        self._url = url
        self.prefix = prefix
        self._max_bytes = max_bytes
        self._retention_ms = int(retention_seconds * 1000)
        self._retention_bytes = retention_bytes
        self.breaker = breaker or CircuitBreaker()
        self._appending = servers(url, timeout, self.breaker, day, replicas)
        self._reading = servers(url, max(timeout, 5.0))
        self._conditions = Conditions(self._reading.ask_all, waits=replicas > 0)

    def append(self, partition: int, body: bytes, at: int, meta: bytes = b"") -> Appended:
        """Append one event. `at` is in milliseconds since 1970; body and metadata are any bytes.

        Raises Refused (or its subclass Full) or Ambiguous; the package says what they mean.
        """
        appended: Appended = self._append(APPEND, partition, KEYS, at, meta, body)
        return appended

    def append_cached(
        self, partition: int, name: str, at: int, meta: bytes = b""
    ) -> Appended | None:
        """Append the event of the page that is cached under `name`; return the page with it.

        All in one call. If no such page is cached, appends nothing and returns None. Raises as
        `append` does.
        """
        names = (*KEYS, cached(name))
        appended: Appended | None = self._append(APPEND_CACHED, partition, names, at, meta)
        return appended

    def read(self, partition: int, position: Position | None, count: int, max_bytes: int) -> Slice:
        """Return at most `count` entries after `position`, in order.

        Stops early once the bodies add up to `max_bytes`. If the entry at the position is not the
        expected one (the log was truncated, emptied or replaced), reads from the beginning: then
        entries that were applied come again, and the reader knows them by their ids.
        """
        columns = Columns()
        size, lost = 0, None
        while len(columns) < count and size < max_bytes:
            limit = min(ENTRIES_PER_CALL, count - len(columns))
            chunk = self._after(partition, position, limit)
            if chunk is None and not columns:
                chunk = self._after(partition, None, limit)
                if chunk is not None and position:
                    lost = _how_lost(position, chunk)
            if chunk is None:  # the log was replaced during this read: the next read starts over
                break
            columns += chunk
            if len(chunk) < limit:
                return Slice(columns, reaches_end=True, position_lost=lost)
            size += sum(map(len, chunk.bodies))
            position = chunk.position()
        return Slice(columns, reaches_end=False, position_lost=lost)

    def trim(self, partition: int, position: Position) -> int:
        """Remove entries before the position that are older than the retention; return how many.

        Never removes the entry at the position, nor any after it. Does nothing if that entry is
        not the expected one. Raises LogError.
        """
        if position.event_id is None:  # trimmed once the position is at an entry that has one
            return 0
        milliseconds = int(position.id.partition(b"-")[0])
        oldest = max(0, milliseconds - self._retention_ms)
        key = self._key(partition)
        packed = pack_event_id(position.event_id)
        limits = (oldest, self._retention_bytes)
        arguments = (key, position.id, *limits, packed, *position.event_id)
        return int(self._reading.ask(key, lambda at: evaluate(at.pool, TRIM, 1, *arguments)))

    def existing(self, partitions: Sequence[int]) -> set[int]:
        """Return which of the partitions have a stream. A single server is asked once for all.

        Raises LogError.
        """
        if not partitions:
            return set()
        keys = [partition_key(self.prefix, partition, "log") for partition in partitions]
        if self.is_cluster and len(keys) > 1:
            return {one for one in partitions if self.existing([one])}
        count = self._reading.ask(keys[0], lambda at: call(at.pool, "EXISTS", *keys))
        if count in {0, len(keys)}:
            return set(partitions) if count else set()
        middle = len(keys) // 2
        return self.existing(partitions[:middle]) | self.existing(partitions[middle:])

    def offsets(self, partitions: Sequence[int]) -> list[bytes | None]:
        """Return the offset of the last entry of each partition, in one call of a single server.

        It changes with every append. None: nothing was appended yet. Raises LogError.
        """
        keys = [partition_key(self.prefix, partition, "ordinal") for partition in partitions]
        return list(self._reading.ask(keys[0], lambda at: call(at.pool, "MGET", *keys)))

    @property
    def is_cluster(self) -> bool:
        return is_cluster(self._url)

    def length(self, partition: int) -> int:
        """Return the number of entries, including applied ones that the retention keeps."""
        return int(self._call("XLEN", partition))

    def pending(self, partition: int, position: Position | None) -> int:
        """Return the number of entries after `position`; of all if the log does not have it.

        The offsets tell it if they have no gaps. Otherwise entries are counted, up to
        `ENTRIES_PER_CALL`; beyond that the result may be too high.
        """
        length = self.length(partition)
        last = self._call("XREVRANGE", partition, "+", "-", "COUNT", 1)
        if not last or position is None or self._after(partition, position, 0) is None:
            return length
        if last[0][0] == position.id:
            return 0
        first = self._call("XRANGE", partition, "-", "+", "COUNT", 1)
        start, end = columns_of(first + last).offsets
        if 0 < start <= position.offset < end and end - start + 1 == length:
            return end - position.offset
        waiting = self._after(partition, position, ENTRIES_PER_CALL)
        if waiting is None or len(waiting) == ENTRIES_PER_CALL:
            return length
        return len(waiting)

    def waited(self, partition: int, position: Position | None) -> float | None:
        """Return for how many seconds the first entry after `position` has been in the log.

        None if there is none. Only Redis' clock is asked, unless it was set back since: then the
        producer's, too.
        """
        entries = self.read(partition, position, count=1, max_bytes=1).entries
        if not entries:
            return None
        now, appended_at = self._time(partition), entries[0].appended_at
        if appended_at > now and 0 <= entries[0].at < now:
            appended_at = entries[0].at
        return max(0, now - appended_at) / 1000

    def note_failure(self, reason: str) -> None:
        """Keep for a minute why events cannot be stored; "": they can. Raises LogError.

        It is kept here since the database may be the reason: its disk is full, for example.
        """
        arguments = ("SET", FAILURE, reason, "EX", FAILURE_SECONDS) if reason else ("DEL", FAILURE)
        self._call_by_name(*arguments)

    def failure(self) -> str:
        """Return what `note_failure` keeps. Raises LogError."""
        return (self._call_by_name("GET", FAILURE) or b"").decode()

    def note_runner(self, name: str) -> None:
        """Keep for some seconds that `counters run` is there; "": it stops. Raises LogError."""
        arguments = ("SET", RUNNER, name, "EX", RUNNER_SECONDS) if name else ("DEL", RUNNER)
        self._call_by_name(*arguments)

    def runner(self) -> str:
        """Return what `note_runner` keeps. Raises LogError."""
        return (self._call_by_name("GET", RUNNER) or b"").decode()

    def condition(self) -> Condition:
        """Return what is wrong with the servers, as it was 10 s ago at most. Raises LogError."""
        return self._conditions.read()

    def close(self) -> None:
        self._appending.close()
        self._reading.close()

    def _append(self, script: Script, partition: int, names: Sequence[str], *arguments: Any) -> Any:
        keys = [partition_key(self.prefix, partition, name) for name in names]
        return self._appending.ask(
            keys[0], lambda at: at.producers.append(script, keys, self._max_bytes, *arguments)
        )

    def _key(self, partition: int) -> str:
        return partition_key(self.prefix, partition, "log")

    def _after(self, partition: int, position: Position | None, count: int) -> Columns | None:
        """Return the entries after `position`, or None if the log does not have it.

        One call does both, so the log cannot be replaced between the check and the read.
        """
        if position is None:
            return columns_of(self._call("XRANGE", partition, b"-", b"+", "COUNT", count))
        reply = self._call("XRANGE", partition, position.id, b"+", "COUNT", count + 1)
        if not reply or columns_of(reply[:1]).position() != position:
            return None
        return columns_of(reply[1:])

    def _call(self, command: str, partition: int, *arguments: Any) -> Any:
        key = self._key(partition)
        return self._reading.ask(key, lambda at: call(at.pool, command, key, *arguments))

    def _call_by_name(self, command: str, name: str, *arguments: Any) -> Any:
        key = partition_key(self.prefix, 0, name)
        return self._reading.ask(key, lambda at: call(at.pool, command, key, *arguments))

    def _time(self, partition: int) -> int:
        """Return Redis' time in ms since 1970: that of the server which holds the partition."""
        asked = self._reading.ask(self._key(partition), lambda at: call(at.pool, "TIME"))
        return int(asked[0]) * 1000 + int(asked[1]) // 1000


def _how_lost(position: Position, columns: Columns) -> PositionLost:
    """Return why a position is lost, from the first entries of the log."""
    if not columns or _order(columns.ids[0]) < _order(position.id):
        return PositionLost.STARTED_OVER
    is_later = columns.offsets[0] > position.offset > 0
    return PositionLost.TRIMMED if is_later else PositionLost.STARTED_OVER


def _order(entry_id: bytes) -> list[int]:
    return [int(number) for number in entry_id.split(b"-")]

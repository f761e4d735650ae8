"""The log on Redis Streams: one stream per partition."""

from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry

from eventlog.breaker import CircuitBreaker
from eventlog.entries import Appended, Entry, Number, Position, Slice
from eventlog.errors import Ambiguous, Away, Full, LogError, Refused
from eventlog.partitions import partition_key
from eventlog.scripts import TRIM, Script
from eventlog.writer import WriterPool

BIGINT = 2**63
FIELDS = [b"s", b"n", b"t", b"o", b"b"]  # session, number, time, ordinal, body: see scripts.APPEND
CHUNK = 2_000  # entries read in one call: bounds the memory that one answer takes


class RedisLog:
    """The log on Redis 6.2 or later, or Valkey. Safe for threads, and across a fork.

    url: `redis://...`, `rediss://...` or `unix://...`.
    max_bytes: of Redis' memory that one partition may take before it is Full.
    retention_seconds, retention_bytes: how much is kept before the position when trimming.
    timeout: seconds that an append may take.
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
    ) -> None:
        self._prefix = prefix
        self._max_bytes = max_bytes
        self._retention_ms = int(retention_seconds * 1000)
        self._retention_bytes = retention_bytes
        self.breaker = breaker or CircuitBreaker()
        self._writers = WriterPool(_connections(url, timeout))
        self._reading = _connections(url, max(timeout, 5.0))

    def append(self, partition: int, body: bytes, at: int, reading: Sequence[str] = ()) -> Appended:
        if not self.breaker.allows():
            raise Refused("the circuit breaker is open")
        names = ("log", "ordinal", *reading)
        keys = [partition_key(self._prefix, partition, name) for name in names]
        try:
            appended = self._writers.append(keys, self._max_bytes, at, body)
        except Full:
            self.breaker.succeeded()
            raise
        except (Refused, Ambiguous):
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return appended

    def read(self, partition: int, position: Position | None, count: int, max_bytes: int) -> Slice:
        entries: list[Entry] = []
        size = 0
        while len(entries) < count and size < max_bytes:
            asked = min(CHUNK, count - len(entries))
            chunk = self._after(partition, position, asked)
            if chunk is None and not entries:
                chunk = self._after(partition, None, asked)
            if chunk is None:  # the log has changed under this read: the next one will see
                break
            entries += chunk
            if len(chunk) < asked:
                return Slice(entries, reaches_end=True)
            size += sum(len(entry.body) for entry in chunk)
            position = Position.of(chunk[-1])
        return Slice(entries, reaches_end=False)

    def trim(self, partition: int, position: Position) -> int:
        if position.number is None:  # trimmed below the next entry that has a number
            return 0
        milliseconds = int(position.id.partition(b"-")[0])
        oldest = max(0, milliseconds - self._retention_ms)
        arguments = (position.id, *position.number, oldest, self._retention_bytes)
        trimmed: int = self._evaluate(TRIM, self._key(partition), *arguments)
        return trimmed

    def length(self, partition: int) -> int:
        length: int = self._call("XLEN", self._key(partition))
        return length

    def pending(self, partition: int, position: Position | None) -> int:
        length = self.length(partition)
        last = self._call("XREVRANGE", self._key(partition), "+", "-", "COUNT", 1)
        if not last or position is None or self._after(partition, position, 0) is None:
            return length
        if last[0][0] == position.id:
            return 0
        behind = _entry(*last[0]).ordinal - position.ordinal
        return behind if position.ordinal and 0 < behind <= length else length

    def oldest(self, partition: int, position: Position | None) -> int | None:
        entries = self.read(partition, position, count=1, max_bytes=1).entries
        return entries[0].at if entries else None

    def close(self) -> None:
        self._writers.close()
        self._reading.disconnect()

    def _key(self, partition: int) -> str:
        return partition_key(self._prefix, partition, "log")

    def _after(self, partition: int, position: Position | None, count: int) -> list[Entry] | None:
        """Return the entries after `position`, or None if it does not stand in the log.

        One call for both, so that the log cannot be replaced between the check and the read.
        """
        if position is None:
            return self._range(partition, b"-", b"+", count)
        entries = self._range(partition, position.id, b"+", count + 1)
        if not entries or Position.of(entries[0]) != position:
            return None
        return entries[1:]

    def _range(self, partition: int, start: bytes, end: bytes, count: int) -> list[Entry]:
        raw = self._call("XRANGE", self._key(partition), start, end, "COUNT", count)
        return [_entry(*entry) for entry in raw]

    def _evaluate(self, script: Script, *arguments: Any) -> Any:
        try:
            return self._call("EVALSHA", script.sha, 1, *arguments)
        except LogError as error:
            if not isinstance(error.__cause__, redis.exceptions.NoScriptError):
                raise
            return self._call("EVAL", script.source, 1, *arguments)

    def _call(self, *command: Any) -> Any:
        """Send one command and return its raw answer: no response callback looks at the entries."""
        try:
            connection: Any = self._reading.get_connection()
            try:
                connection.send_command(*command)
                return connection.read_response(disable_decoding=True)
            except BaseException as error:
                if not isinstance(error, redis.ResponseError):
                    connection.disconnect()  # else the next command would get this one's answer
                raise
            finally:
                self._reading.release(connection)
        except redis.ResponseError as error:
            raise LogError(str(error)) from error
        except redis.RedisError as error:
            raise Away(str(error)) from error


def _connections(url: str, timeout: float) -> ConnectionPool:
    return ConnectionPool.from_url(
        url,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 1.0),
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        health_check_interval=0,
        driver_info=None,
    )


def _entry(entry_id: bytes, fields: list[bytes]) -> Entry:
    """Parse an entry; one that no writer of this log has made comes without a number."""
    if fields[::2] == FIELDS:
        try:
            session, seq, at, ordinal = map(int, fields[1:9:2])
        except ValueError:
            pass
        else:
            if all(0 <= value < BIGINT for value in (session, seq, at, ordinal)):
                return Entry(entry_id, Number(session, seq), at, ordinal, fields[9])
    return Entry(entry_id, None, -1, 0, b" ".join(fields))

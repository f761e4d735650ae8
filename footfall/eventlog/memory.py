"""A log in the memory of this process: for tests of projects, which then need no Redis.

It passes the contract of `RedisLog`. What is not about events, such as cached pages, it has not.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.condition import Condition
from footfall.eventlog.entries import (
    NO_PRODUCER,
    UNKNOWN_DAY,
    Appended,
    Columns,
    Entry,
    EventId,
    Position,
    Slice,
    new_producer_id,
)
from footfall.eventlog.errors import Full

Scope = tuple[Hashable, ...]
"""Transactions that will be rolled back, the outermost first."""


class MemoryLog:
    """One list per partition. Safe for threads.

    max_bytes: of the bodies in one partition, before it is Full. prefix: returns that of the
    present database. scope: returns the transactions in which the caller is and that will be rolled
    back, as around a test: then their events are gone, as what was stored of them is.
    """

    is_cluster = False

    def __init__(
        self,
        max_bytes: int = 2**30,
        prefix: Callable[[], str] = str,
        scope: Callable[[], Scope] = tuple,
    ) -> None:
        self.breaker = CircuitBreaker()
        self._max_bytes = max_bytes
        self._prefix = prefix
        self._scope = scope
        self._entries: dict[int, list[tuple[Scope, Entry]]] = defaultdict(list)
        self._sizes: dict[int, int] = defaultdict(int)
        """Bytes of the bodies in each partition."""
        self._offsets: dict[int, int] = defaultdict(int)
        self._producers: dict[Scope, EventId] = {}
        """The next event id of each scope: a new one has a new producer, so none leaves gaps."""
        self._last_scope: Scope = ()
        self._lock = Lock()

    @property
    def prefix(self) -> str:
        return self._prefix()

    def append(self, partition: int, body: bytes, at: int, meta: bytes = b"") -> Appended:
        scope = self._scope()
        with self._lock:
            self._forget_others(scope)
            if self._sizes[partition] > self._max_bytes:
                raise Full("at its cap")
            self._sizes[partition] += len(body)
            self._offsets[partition] += 1
            offset = self._offsets[partition]
            entry_id = b"%d-%d" % (time.time_ns() // 1_000_000, offset)
            event_id = self._next_id((*scope, partition))
            self._entries[partition].append(
                (scope, Entry(entry_id, event_id, at, offset, body, meta))
            )
            return Appended(entry_id, event_id)

    def append_cached(
        self, partition: int, name: str, at: int, meta: bytes = b""
    ) -> Appended | None:
        return None

    def read(self, partition: int, position: Position | None, count: int, max_bytes: int) -> Slice:
        waiting = self._after(partition, position)
        entries: list[Entry] = []
        size = 0
        while len(entries) < min(count, len(waiting)) and size < max_bytes:
            size += len(waiting[len(entries)].body)
            entries.append(waiting[len(entries)])
        return Slice(_columns(entries), reaches_end=len(entries) == len(waiting))

    def trim(self, partition: int, position: Position) -> int:
        """Remove what is before the position, but not what a rollback will have counted anew."""
        visible = self._visible(partition)[: self._index(partition, position) or 0]
        before = {one.offset for one in visible}
        with self._lock:
            entries = self._entries[partition]
            kept = [(scope, one) for scope, one in entries if scope or one.offset not in before]
            self._keep(partition, kept)
            return len(entries) - len(kept)

    def existing(self, partitions: Sequence[int]) -> set[int]:
        return {one for one in partitions if self._visible(one)}

    def length(self, partition: int) -> int:
        return len(self._visible(partition))

    def pending(self, partition: int, position: Position | None) -> int:
        return len(self._after(partition, position))

    def waited(self, partition: int, position: Position | None) -> float | None:
        waiting = self._after(partition, position)
        return time.time() - waiting[0].appended_at / 1000 if waiting else None

    def note_failure(self, reason: str) -> None:
        """Do nothing: no other process could read it."""

    def failure(self) -> str:
        return ""

    def note_runner(self, name: str) -> None:
        """Do nothing: no other process could read it."""

    def runner(self) -> str:
        return ""

    def condition(self) -> Condition:
        return Condition()

    def clear(self) -> None:
        """Forget all events."""
        with self._lock:
            self._entries.clear()
            self._sizes.clear()
            self._producers.clear()

    def close(self) -> None:
        """It has no connections."""

    def _next_id(self, producer: Scope) -> EventId:
        event_id = self._producers.get(producer) or EventId(new_producer_id(UNKNOWN_DAY), 0)
        self._producers[producer] = event_id._replace(sequence=event_id.sequence + 1)
        return event_id

    def _forget_others(self, scope: Scope) -> None:
        """Forget what was appended in transactions that are over, before one of a new test."""
        if not scope or scope == self._last_scope:
            return
        self._last_scope = scope
        for partition, entries in self._entries.items():
            self._keep(partition, [one for one in entries if _are_nested(one[0], scope)])
        for producer in list(self._producers):
            if not _are_nested(producer[:-1], scope):
                del self._producers[producer]

    def _keep(self, partition: int, entries: list[tuple[Scope, Entry]]) -> None:
        self._entries[partition] = entries
        self._sizes[partition] = sum(len(one.body) for _, one in entries)

    def _visible(self, partition: int) -> list[Entry]:
        present = self._scope()
        with self._lock:
            found = list(self._entries[partition])
        return [entry for scope, entry in found if scope == present[: len(scope)]]

    def _after(self, partition: int, position: Position | None) -> list[Entry]:
        index = self._index(partition, position)
        return self._visible(partition)[0 if index is None else index + 1 :]

    def _index(self, partition: int, position: Position | None) -> int | None:
        for index, entry in enumerate(self._visible(partition)):
            if position is not None and Position.of(entry) == position:
                return index
        return None


def _are_nested(one: Scope, other: Scope) -> bool:
    """Tell whether one of the scopes is inside the other, or is it."""
    depth = min(len(one), len(other))
    return one[:depth] == other[:depth]


def _columns(entries: Sequence[Entry]) -> Columns:
    return Columns.of(
        [
            (entry_id, *(event_id or (NO_PRODUCER, NO_PRODUCER)), at, offset, body, meta)
            for entry_id, event_id, at, offset, body, meta in entries
        ]
    )

"""A log in the memory of this process, for tests only. It passes the contract of `contract.py`."""

import time
from collections import defaultdict
from threading import Lock

from footfall.eventlog import Appended, Columns, Entry, EventId, Full, Position, Slice
from footfall.eventlog.entries import NO_PRODUCER


class MemoryLog:
    """One list per partition, and one producer: there is never more than one append in flight."""

    def __init__(self, max_bytes: int = 2**30, retention: int = 0) -> None:
        self.streams: dict[int, list[Entry]] = defaultdict(list)
        self._max_bytes = max_bytes
        self._retention = retention  # entries kept before the position
        self._offsets: dict[int, int] = defaultdict(int)
        self._sequences: dict[int, int] = defaultdict(int)
        self._lock = Lock()

    def append(self, partition: int, body: bytes, at: int, meta: bytes = b"") -> Appended:
        with self._lock:
            stream = self.streams[partition]
            if sum(len(entry.body) for entry in stream) > self._max_bytes:
                raise Full("at its cap")
            self._offsets[partition] += 1
            offset = self._offsets[partition]
            entry_id = b"%d-%d" % (time.time_ns() // 1_000_000, offset)
            event_id = EventId(1, self._sequences[partition])
            self._sequences[partition] += 1
            stream.append(Entry(entry_id, event_id, at, offset, body, meta))
            return Appended(entry_id, event_id)

    def append_cached(
        self, partition: int, name: str, at: int, meta: bytes = b""
    ) -> Appended | None:
        return None  # it has no cached pages

    def read(self, partition: int, position: Position | None, count: int, max_bytes: int) -> Slice:
        waiting = self._after(partition, position)
        entries: list[Entry] = []
        size = 0
        while len(entries) < min(count, len(waiting)) and size < max_bytes:
            size += len(waiting[len(entries)].body)
            entries.append(waiting[len(entries)])
        return Slice(columns_of(entries), reaches_end=len(entries) == len(waiting))

    def trim(self, partition: int, position: Position) -> int:
        index = self._index(partition, position)
        trimmed = max(0, (index or 0) - self._retention)
        del self.streams[partition][:trimmed]
        return trimmed

    def length(self, partition: int) -> int:
        return len(self.streams[partition])

    def pending(self, partition: int, position: Position | None) -> int:
        return len(self._after(partition, position))

    def waited(self, partition: int, position: Position | None) -> float | None:
        waiting = self._after(partition, position)
        return time.time() - waiting[0].appended_at / 1000 if waiting else None

    def _after(self, partition: int, position: Position | None) -> list[Entry]:
        index = self._index(partition, position)
        return self.streams[partition][0 if index is None else index + 1 :]

    def _index(self, partition: int, position: Position | None) -> int | None:
        for index, entry in enumerate(self.streams[partition]):
            if position is not None and Position.of(entry) == position:
                return index
        return None


def columns_of(entries: list[Entry]) -> Columns:
    return Columns.of(
        [
            (entry_id, *(event_id or (NO_PRODUCER, NO_PRODUCER)), at, offset, body, meta)
            for entry_id, event_id, at, offset, body, meta in entries
        ]
    )

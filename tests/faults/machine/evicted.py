"""What Redis evicts of the log: found in its append-only file, which has each append and eviction.

An evicted event that was not stored before is lost by Redis, and by nothing else.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from footfall import events
from footfall.eventlog.envelope import columns_of

LOG = re.compile(rb"\{(\d+)\}:log$")
REWRITES = "auto-aof-rewrite-percentage"


class StoredId(NamedTuple):
    """Says which event it is, in the log and in the store."""

    partition: int
    producer_id: int
    sequence: int

    @classmethod
    def of(cls, partition: int, producer_id: int | None, sequence: int | None) -> "StoredId | None":
        """Return it of an event in a database; None if that was never sent to a log."""
        if producer_id is None or sequence is None:
            return None
        return cls(partition, producer_id, sequence)


@dataclass
class Evicted:
    """The events that were in the log when it was evicted: bodies by id."""

    events: dict[StoredId, bytes] = field(default_factory=dict)

    @contextmanager
    def watched(self, client: Any, directory: Path) -> Iterator[None]:
        """Add what is evicted meanwhile. client: of Redis. directory: with its files."""
        rewrites = client.config_get(REWRITES)[REWRITES]
        client.config_set(REWRITES, 0)  # so the file goes on
        try:
            file = max((directory / "appendonlydir").glob("*.incr.aof"), key=_number)
            start = file.stat().st_size
            streams = {key: dict(client.xrange(key)) for key in client.keys("*:log")}
            yield
            with file.open("rb") as appended:
                appended.seek(start)
                self._replay(commands(appended.read()), streams)
        finally:
            client.config_set(REWRITES, rewrites)

    def _replay(
        self, done: Iterable[list[bytes]], streams: dict[bytes, dict[bytes, dict[bytes, bytes]]]
    ) -> None:
        for name, *arguments in done:
            if name.upper() == b"XADD" and LOG.search(arguments[0]):
                key, entry_id, *fields = arguments
                pairs = dict(zip(fields[::2], fields[1::2], strict=True))
                streams.setdefault(key, {})[entry_id] = pairs
            elif name.upper() in (b"DEL", b"UNLINK"):
                for key in arguments:
                    self._add(key, streams.pop(key, {}))

    def _add(self, key: bytes, stream: dict[bytes, dict[bytes, bytes]]) -> None:
        found = LOG.search(key)
        for entry_id, pairs in stream.items() if found else ():
            fields = [part for pair in pairs.items() for part in pair]
            (entry,) = columns_of([(entry_id, fields)]).entries
            if found and entry.event_id:
                self.events[StoredId(int(found[1]), *entry.event_id)] = entry.body

    def lost(self, stored: set[StoredId]) -> dict[StoredId, bytes]:
        """Return those that were not stored."""
        return {one: body for one, body in self.events.items() if one not in stored}


def commands(data: bytes) -> Iterator[list[bytes]]:
    """Yield the commands of an append-only file, up to one that is not complete."""
    at = 0
    while at < len(data):
        words: list[bytes] = []
        count, at = _length(data, at)
        for _ in range(count):
            length, at = _length(data, at)
            words.append(data[at : at + length])
            at += length + 2
        if at > len(data):
            return
        yield words


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of a line like `*3` or `$12`, and where the next one begins."""
    end = data.find(b"\r\n", at)
    return (int(data[at + 1 : end]), end + 2) if end > 0 else (0, len(data) + 1)


def stored_ids(lines: Iterable[str]) -> set[StoredId]:
    """Return the ids in the output of `counters events`, of the events that have one."""
    return {one for line in lines if (one := printed_id(json.loads(line)))}


def printed_id(row: Mapping[str, Any]) -> StoredId | None:
    """Return the id in a line of `counters events`."""
    return StoredId.of(row["partition"], row["producer_id"], row["sequence"])


def evident(lost: Iterable[StoredId], stored: Iterable[StoredId]) -> int:
    """Return how many of the lost events the service must tell: a later one of the same producer
    was stored, so their sequence numbers are left out.

    The last stored event of a producer may have come by the spill, which tells nothing of what is
    missing before it: the log may have that.
    """
    found: dict[tuple[int, int], list[int]] = {}
    for one in stored:
        found.setdefault((one.partition, one.producer_id), []).append(one.sequence)
    last = {of: sorted(sequences)[-2] for of, sequences in found.items() if len(sequences) > 1}
    return sum(last.get((one.partition, one.producer_id), -1) > one.sequence for one in lost)


def views(bodies: Iterable[bytes]) -> Counter[str]:
    """Return the views in the events, by the names of their targets."""
    found: Counter[str] = Counter()
    for body in bodies:
        for label, ids in events.decode(body).items():
            found.update(f"{label.partition('.')[2]} {one}" for one in ids)
    return found


def _number(file: Path) -> int:
    return int(file.name.split(".")[-3])

"""Hints on a Redis Stream: an entry says that there may be something to do.

Any number of workers read the first entry, look, and remove it. Nothing depends on an entry: it may
be read twice, or lost with Redis' data.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.cluster import servers
from footfall.eventlog.connections import call, evaluate
from uploads.queue.lua_scripts import MOVE_TO_DEAD_LETTERS

MAX_ENTRIES = 100_000
"""About so many are kept, the latest: while no worker runs, they wait for nothing."""
UNKNOWN = -1


class Entry(NamedTuple):
    """An entry of the queue."""

    id: str
    at: int
    """When the event happened, by its producer's clock: milliseconds since 1970; -1 if unknown."""
    body: bytes


class DeadLetter(NamedTuple):
    """An entry that was given up."""

    id: str
    at: int
    body: bytes
    reason: str
    entry_id: str
    """Its id in the queue."""


class RedisQueue:
    """The queue on Redis 6.2 or later, or Valkey. Safe for threads, and across a fork.

    url, prefix, timeout, breaker: as in `RedisLog`.
    name: of the queue. Its keys share a hash tag, so that they lie in one slot of a cluster.
    max_dead_letters: about so many dead letters are kept, the latest.

    Every method raises LogError: Away if Redis does not answer, Refused if it was not asked.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        prefix: str = "footfall",
        max_dead_letters: int = 10_000,
        timeout: float = 1.0,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.key = f"{prefix}:{{{name}}}:queue"
        self.dead_letters_key = f"{prefix}:{{{name}}}:dead"
        self.breaker = breaker or CircuitBreaker()
        self._max_dead_letters = max_dead_letters
        self._quick = servers(url, timeout, self.breaker)
        self._patient = servers(url, max(timeout, 5.0))

    def append(self, body: bytes, at: int) -> str:
        """Append an entry and return its id. `at` is in milliseconds since 1970.

        After a LogError other than Refused the entry may be in the queue nevertheless.
        """
        command = ("XADD", self.key, "MAXLEN", "~", MAX_ENTRIES, "*", "t", at, "b", body)
        entry_id = self._call_quickly(*command)
        return str(entry_id.decode())

    def first(self) -> Entry | None:
        """Return the first entry, which stays in the queue; None if there is none."""
        found = self._call_quickly("XRANGE", self.key, "-", "+", "COUNT", 1)
        return _entry(*found[0]) if found else None

    def remove(self, entry: Entry) -> None:
        """Remove the entry. Repeating it does nothing."""
        self._call_quickly("XDEL", self.key, entry.id)

    def move_to_dead_letters(self, entry: Entry, reason: str) -> None:
        """Move the entry to the dead letters. Repeating it does nothing."""
        fields = (entry.id, entry.at, entry.body, reason, self._max_dead_letters)
        keys = (self.key, self.dead_letters_key)
        script = MOVE_TO_DEAD_LETTERS
        self._patient.ask(self.key, lambda at: evaluate(at.pool, script, 2, *keys, *fields))

    def dead_letters(self, count: int = 100) -> list[DeadLetter]:
        """Return the latest dead letters, the newest first."""
        found = self._call("XREVRANGE", self.dead_letters_key, "+", "-", "COUNT", count)
        return [_dead_letter(*entry) for entry in found]

    def count_dead_letters(self) -> int:
        return int(self._call("XLEN", self.dead_letters_key))

    def delete_dead_letters(self, ids: Collection[str]) -> int:
        """Delete dead letters; return how many there were."""
        return int(self._call("XDEL", self.dead_letters_key, *ids)) if ids else 0

    def length(self) -> int:
        """Return the number of entries."""
        return int(self._call("XLEN", self.key))

    def close(self) -> None:
        self._quick.close()
        self._patient.close()

    def _call_quickly(self, *command: Any) -> Any:
        """Send a command for which no client, and no file that waits, shall wait for long."""
        return self._quick.ask(self.key, lambda at: call(at.pool, *command))

    def _call(self, *command: Any) -> Any:
        return self._patient.ask(self.key, lambda at: call(at.pool, *command))


def _entry(entry_id: bytes, fields: list[bytes]) -> Entry:
    """Parse an entry; the fields of one that `append` did not write are joined to its body."""
    if fields[::2] == [b"t", b"b"]:
        return Entry(entry_id.decode(), _milliseconds(fields[1]), fields[3])
    return Entry(entry_id.decode(), UNKNOWN, b" ".join(fields))


def _dead_letter(letter_id: bytes, fields: list[bytes]) -> DeadLetter:
    named = dict(zip(fields[::2], fields[1::2], strict=False))
    return DeadLetter(
        letter_id.decode(),
        _milliseconds(named.get(b"t", b"")),
        named.get(b"b", b" ".join(fields)),
        named.get(b"r", b"").decode(errors="replace"),
        named.get(b"i", b"").decode(errors="replace"),
    )


def _milliseconds(text: bytes) -> int:
    """Return the time in it, whatever its size; -1 if there is none."""
    return int(text) if text.isdigit() and len(text) < 20 else UNKNOWN

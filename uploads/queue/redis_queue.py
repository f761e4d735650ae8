"""A work queue on a Redis Stream with one consumer group.

Each entry is delivered to one worker and stays in the stream until the worker acknowledges it. If
the worker neither acknowledges nor refreshes it, another worker can claim it. Waiting entries never
expire. Redis can lose entries with its data, so the sender must be able to send them again.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog import LogError
from footfall.eventlog.cluster import servers
from footfall.eventlog.connections import call, evaluate
from footfall.eventlog.lua_scripts import Script
from uploads.queue.lua_scripts import ACKNOWLEDGE, EXISTING, MOVE_TO_DEAD_LETTERS

GROUP = "workers"
IDS_PER_CALL = 500  # ids that one script looks up: Redis serves no other client meanwhile


class Delivery(NamedTuple):
    """An entry that was delivered to a worker."""

    id: str
    """Empty if Redis has lost the entry."""
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
    """Its id in the queue; empty if Redis had lost the entry."""


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
        self._appending = servers(url, timeout, self.breaker)
        self._working = servers(url, max(timeout, 5.0))

    def append(self, body: bytes, at: int) -> str:
        """Append an entry and return its id. `at` is in milliseconds since 1970.

        After a LogError other than Refused the entry may be in the queue nevertheless.
        """
        command = ("XADD", self.key, "*", "t", at, "b", body)
        entry_id = self._appending.ask(self.key, lambda at: call(at.pool, *command))
        return str(entry_id.decode())

    def read(self, consumer: str) -> Delivery | None:
        """Return the next waiting entry, or None. Does not block."""
        command = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", self.key, ">")
        found = self._call_group(*command)
        return _delivery(*found[0][1][0]) if found else None

    def claim(self, consumer: str, idle_seconds: float) -> Delivery | None:
        """Return an entry that its worker has not refreshed for `idle_seconds`, or None."""
        idle = int(idle_seconds * 1000)
        cursor = b"0-0"
        while True:
            command = ("XAUTOCLAIM", self.key, GROUP, consumer, idle, cursor, "COUNT", 1)
            # From Redis 7.0 on there is a third value: ids that were deleted from the stream.
            cursor, found, *_ = self._call_group(*command)
            if found and (found[0] is None or found[0][1] is None):
                self._acknowledge_deleted()
            elif found:
                return _delivery(*found[0])
            if cursor == b"0-0":
                return None

    def refresh(self, delivery: Delivery, consumer: str) -> None:
        """Reset the entry's idle time, so that no other worker claims it."""
        self._call("XCLAIM", self.key, GROUP, consumer, 0, delivery.id, "JUSTID")

    def acknowledge(self, delivery: Delivery) -> None:
        """Remove the processed entry. Repeating it does nothing."""
        self._evaluate(ACKNOWLEDGE, 1, self.key, GROUP, delivery.id)

    def move_to_dead_letters(self, delivery: Delivery, reason: str) -> None:
        """Move the entry to the dead letters. Repeating it does nothing, unless its id is empty."""
        fields = (delivery.id, delivery.at, delivery.body, reason, self._max_dead_letters)
        keys = (self.key, self.dead_letters_key)
        self._evaluate(MOVE_TO_DEAD_LETTERS, 2, *keys, GROUP, *fields)

    def dead_letters(self, count: int = 100) -> list[DeadLetter]:
        """Return the latest dead letters, the newest first."""
        found = self._call("XREVRANGE", self.dead_letters_key, "+", "-", "COUNT", count)
        return [_dead_letter(*entry) for entry in found]

    def count_dead_letters(self) -> int:
        return int(self._call("XLEN", self.dead_letters_key))

    def delete_dead_letters(self, ids: Collection[str]) -> int:
        """Delete dead letters; return how many there were."""
        return int(self._call("XDEL", self.dead_letters_key, *ids)) if ids else 0

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Return which of the entries are in the queue, waiting or being processed."""
        found: set[str] = set()
        for start in range(0, len(ids), IDS_PER_CALL):
            chunk = ids[start : start + IDS_PER_CALL]
            found |= {one.decode() for one in self._evaluate(EXISTING, 1, self.key, *chunk)}
        return found

    def length(self) -> int:
        """Return the number of entries, waiting or being processed."""
        return int(self._call("XLEN", self.key))

    def close(self) -> None:
        self._appending.close()
        self._working.close()

    def _call(self, *command: Any) -> Any:
        return self._working.ask(self.key, lambda at: call(at.pool, *command))

    def _evaluate(self, script: Script, *arguments: Any) -> Any:
        return self._working.ask(self.key, lambda at: evaluate(at.pool, script, *arguments))

    def _call_group(self, *command: Any) -> Any:
        """Send a command of the consumer group. Create the group if Redis does not have it.

        The group starts at the first entry, so it also delivers those appended before.
        """
        try:
            return self._call(*command)
        except LogError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        try:
            self._call("XGROUP", "CREATE", self.key, GROUP, "0", "MKSTREAM")
        except LogError as error:
            if not str(error).startswith("BUSYGROUP"):  # another worker was faster
                raise
        return self._call(*command)

    def _acknowledge_deleted(self) -> None:
        """Acknowledge entries that were deleted from the stream: Redis 6.2 leaves them pending."""
        pending = self._call("XPENDING", self.key, GROUP, "-", "+", IDS_PER_CALL)
        ids = [entry_id.decode() for entry_id, *_ in pending]
        if deleted := set(ids) - self.existing(ids):
            self._call("XACK", self.key, GROUP, *deleted)


def _delivery(entry_id: bytes, fields: list[bytes]) -> Delivery:
    """Parse an entry; the fields of one that `append` did not write are joined to its body."""
    if fields[::2] == [b"t", b"b"] and fields[1].isdigit():
        return Delivery(entry_id.decode(), int(fields[1]), fields[3])
    return Delivery(entry_id.decode(), -1, b" ".join(fields))


def _dead_letter(letter_id: bytes, fields: list[bytes]) -> DeadLetter:
    entry_id, at, body, reason = fields[1::2]
    return DeadLetter(
        letter_id.decode(), int(at), body, reason.decode(errors="replace"), entry_id.decode()
    )

"""A queue of work on a Redis Stream: each entry goes to one worker, and stays until it is done.

Events of a log are sums, whose order matters; these are errands. A consumer group gives each entry
to whoever asks next. An entry that was taken and not acknowledged is taken over by another worker
once nobody has kept it for a while; one that merely waits belongs to nobody, however long it waits.
Redis may forget entries with its data: whoever appends knows what must be done, and appends again.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.cluster import servers
from footfall.eventlog.connections import call, evaluate
from footfall.eventlog.errors import LogError
from footfall.eventlog.scripts import Script
from uploads.queue.scripts import ACKNOWLEDGE, BURY, PRESENT

GROUP = "workers"
CHUNK = 500  # ids that one script looks for: bounds how long Redis answers nobody else


class Delivery(NamedTuple):
    """An entry that was given to one worker, and is its until it acknowledges or goes silent."""

    id: str
    at: int
    """When the event happened, by its writer's clock: milliseconds since 1970; -1 if unknown."""
    body: bytes


class DeadLetter(NamedTuple):
    """An entry that was given up."""

    id: str
    at: int
    body: bytes
    reason: str
    entry_id: str
    """What its id was in the queue."""


class RedisQueue:
    """The queue on Redis 6.2 or later, or Valkey. Safe for threads, and across a fork.

    url, prefix, timeout, breaker: as `RedisLog`'s.
    name: of the queue. Its keys share a hash tag, so that they lie in one slot of a cluster.
    max_dead: about so many dead letters are kept, the latest.

    Every method raises LogError: Away if Redis does not answer, Refused if it was not asked.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        prefix: str = "footfall",
        max_dead: int = 10_000,
        timeout: float = 1.0,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.key = f"{prefix}:{{{name}}}:queue"
        self.dead_key = f"{prefix}:{{{name}}}:dead"
        self.breaker = breaker or CircuitBreaker()
        self._max_dead = max_dead
        self._appending = servers(url, timeout, self.breaker)
        self._working = servers(url, max(timeout, 5.0))

    def append(self, body: bytes, at: int) -> str:
        """Append one entry and return its id. `at` is in milliseconds since 1970.

        After a LogError that is not Refused the entry may be in the queue all the same.
        """
        command = ("XADD", self.key, "*", "t", at, "b", body)
        entry_id = self._appending.ask(self.key, lambda at: call(at.pool, *command))
        return str(entry_id.decode())

    def take(self, consumer: str) -> Delivery | None:
        """Take the next entry that waits, or None. Does not wait for one."""
        command = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", self.key, ">")
        found = self._grouped(*command)
        return _delivery(*found[0][1][0]) if found else None

    def take_over(self, consumer: str, idle_seconds: float) -> Delivery | None:
        """Take an entry that its worker has neither kept nor acknowledged for so long, or None."""
        idle = int(idle_seconds * 1000)
        cursor = b"0-0"
        while True:
            command = ("XAUTOCLAIM", self.key, GROUP, consumer, idle, cursor, "COUNT", 1)
            # A third value, from Redis 7.0 on, names entries that are gone and were let go.
            cursor, found, *_ = self._grouped(*command)
            if found and (found[0] is None or found[0][1] is None):
                self._let_go_of_the_gone()
            elif found:
                return _delivery(*found[0])
            if cursor == b"0-0":
                return None

    def keep(self, delivery: Delivery, consumer: str) -> None:
        """Say that somebody still works on it: for nobody else to take it over."""
        self._call("XCLAIM", self.key, GROUP, consumer, 0, delivery.id, "JUSTID")

    def acknowledge(self, delivery: Delivery) -> None:
        """Remove the entry: its work is done. Once more does nothing."""
        self._evaluate(ACKNOWLEDGE, 1, self.key, GROUP, delivery.id)

    def bury(self, delivery: Delivery, reason: str) -> None:
        """Move the entry to the dead letters: nobody will try it again by himself.

        One that the queue has lost is buried all the same, with no id.
        """
        fields = (delivery.id, delivery.at, delivery.body, reason, self._max_dead)
        self._evaluate(BURY, 2, self.key, self.dead_key, GROUP, *fields)

    def dead(self, count: int = 100) -> list[DeadLetter]:
        """Return the latest dead letters, the last first."""
        found = self._call("XREVRANGE", self.dead_key, "+", "-", "COUNT", count)
        return [_letter(*entry) for entry in found]

    def dead_count(self) -> int:
        """Return how many dead letters there are."""
        return int(self._call("XLEN", self.dead_key))

    def discard(self, letters: Collection[str]) -> int:
        """Remove the dead letters with these ids; return how many there were."""
        return int(self._call("XDEL", self.dead_key, *letters)) if letters else 0

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which of the entries are in the queue: they wait, or somebody has taken them."""
        found: set[str] = set()
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            found |= {one.decode() for one in self._evaluate(PRESENT, 1, self.key, *chunk)}
        return found

    def length(self) -> int:
        """Return the number of entries that wait or that somebody has taken."""
        return int(self._call("XLEN", self.key))

    def close(self) -> None:
        self._appending.close()
        self._working.close()

    def _call(self, *command: Any) -> Any:
        return self._working.ask(self.key, lambda at: call(at.pool, *command))

    def _evaluate(self, script: Script, *arguments: Any) -> Any:
        return self._working.ask(self.key, lambda at: evaluate(at.pool, script, *arguments))

    def _grouped(self, *command: Any) -> Any:
        """Send a command of the group, which is made on first use and after Redis has lost it.

        It starts at the first entry: those from before it was made have waited for it.
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

    def _let_go_of_the_gone(self) -> None:
        """Acknowledge what was taken and has left the stream: Redis 6.2 does not by itself."""
        pending = self._call("XPENDING", self.key, GROUP, "-", "+", CHUNK)
        ids = [entry_id.decode() for entry_id, *_ in pending]
        if gone := set(ids) - self.present(ids):
            self._call("XACK", self.key, GROUP, *gone)


def _delivery(entry_id: bytes, fields: list[bytes]) -> Delivery:
    """Parse an entry; one that no queue of this kind has made comes as one body."""
    if fields[::2] == [b"t", b"b"] and fields[1].isdigit():
        return Delivery(entry_id.decode(), int(fields[1]), fields[3])
    return Delivery(entry_id.decode(), -1, b" ".join(fields))


def _letter(letter_id: bytes, fields: list[bytes]) -> DeadLetter:
    entry_id, at, body, reason = fields[1::2]
    return DeadLetter(
        letter_id.decode(), int(at), body, reason.decode(errors="replace"), entry_id.decode()
    )

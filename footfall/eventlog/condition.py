"""What the Redis servers say of themselves that is bad for a log."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from footfall.eventlog.connections import call
from footfall.eventlog.errors import Away, LogError
from footfall.eventlog.server import Server

SECONDS = 10.0
"""For so long an answer is used again."""
DIGITS = 12
"""Hexadecimal ones of a server's run id: so a sum of some is exact as a float."""


class Condition(NamedTuple):
    """Of one server, or of all masters of a cluster."""

    policy: str = ""
    """The `maxmemory-policy` if it may evict keys that do not expire, as the log's; else empty."""
    evicted_keys: int = 0
    """Keys that a server with such a policy has evicted since it was started."""
    refusal: str = ""
    """Why it refuses all writes: its disk is full, for example (MISCONF)."""
    server: int = 0
    """A number of the server, or of all masters: another one after a promotion or a restart."""
    replicas: int = 0
    """That follow it; of a cluster, the fewest of a master."""
    wait_refusal: str = ""
    """Why it does not say whether replicas have an event: its user may not run WAIT, for example.
    Asked only if they must have it."""


class Conditions:
    """Asks the servers, and keeps the answer for a while. Safe for threads."""

    def __init__(
        self,
        ask_all: Callable[[Callable[[Server], Condition]], Sequence[Condition]],
        clock: Callable[[], float] = time.monotonic,
        *,
        waits: bool = False,
    ) -> None:
        self._ask_all = ask_all
        self._waits = waits
        self._clock = clock
        self._last = Condition()
        self._asked_at = float("-inf")

    def read(self) -> Condition:
        """Raises LogError if no server answers."""
        now = self._clock()
        if now - self._asked_at >= SECONDS:
            asked = partial(condition_of, waits=self._waits)
            self._last = combined(self._ask_all(asked))
            self._asked_at = now
        return self._last


def condition_of(server: Server, *, waits: bool = False) -> Condition:
    """Ask one server. INFO, since managed servers forbid CONFIG. Raises LogError.

    waits: ask it, too, whether it answers WAIT.
    """
    lines = call(server.pool, "INFO").decode().splitlines()
    info = dict(line.split(":", 1) for line in lines if ":" in line)
    policy = info.get("maxmemory_policy", "")
    evicts = policy.startswith("allkeys")
    return Condition(
        policy if evicts else "",
        int(info.get("evicted_keys", 0)) if evicts else 0,
        refusal(server, "PING"),
        int(info.get("run_id", "0")[:DIGITS], 16),
        int(info.get("connected_slaves", 0)),
        refusal(server, "WAIT", 0, 0) if waits else "",
    )


def refusal(server: Server, *command: Any) -> str:
    """Return why the server refuses a command, or "". While it refuses to write, it refuses PING.

    Raises Away.
    """
    try:
        call(server.pool, *command)
    except Away:
        raise
    except LogError as error:
        return str(error)
    return ""


def combined(found: Sequence[Condition]) -> Condition:
    return Condition(
        ", ".join(sorted({one.policy for one in found} - {""})),
        sum(one.evicted_keys for one in found),
        next((one.refusal for one in found if one.refusal), ""),
        sum(one.server for one in found),
        min((one.replicas for one in found), default=0),
        next((one.wait_refusal for one in found if one.wait_refusal), ""),
    )

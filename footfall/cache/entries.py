"""Events that are prepared in Redis, each with a value that is answered when it is appended.

`RedisLog.append_prepared` appends such an event and returns its value in one call. With the value
go numbers, which change more often than it: several prepared events of a partition share them.

What is prepared is a copy: losing it costs time and nothing else. It is put under a *lease*. Who
knows that the original has changed makes Redis forget the copy *and* the lease, after the change:
so what somebody read before that, however slow, is not put any more.
"""

import random
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from django.core.signals import setting_changed

from footfall.cache.scripts import LEASE, PUT, RAISE
from footfall.common.breaker import CircuitBreaker
from footfall.conf import conf
from footfall.eventlog.cluster import servers
from footfall.eventlog.connections import call, evaluate
from footfall.eventlog.partitions import cached, partition_key
from footfall.eventlog.scripts import Script
from footfall.log import get_log

CHUNK = 500  # keys in one call: bounds how long Redis answers nobody else
MOST_NUMBERS = 1_000
"""What has more numbers than this is not prepared."""
LEASE_MS = 3_000  # for which one may prepare
TOMBSTONE_MS = 5_000  # longer than a lease
POLL = 0.005  # seconds between two looks at what somebody else prepares
PATIENCE = 0.5  # seconds after which one prepares for oneself


class Lease(NamedTuple):
    """The right to put one prepared event."""

    partition: int
    name: str
    token: str


class PageCache:
    """The prepared events of every partition.

    url, prefix, timeout, breaker: as `RedisLog`'s, and the breaker is best the same one.
    seconds: after which what was put expires at the latest.
    max_bytes: of Redis' memory that a partition's prepared events may take, about.

    Every method raises LogError: Away if Redis does not answer, Refused if it was not asked.
    """

    def __init__(
        self,
        url: str,
        *,
        breaker: CircuitBreaker,
        prefix: str = "footfall",
        seconds: float = 300.0,
        max_bytes: int = 16 * 1024**2,
        timeout: float = 1.0,
    ) -> None:
        self._prefix = prefix
        self._milliseconds = int(seconds * 1000)
        self._max_bytes = max_bytes
        self._servers = servers(url, timeout, breaker)

    def lease(self, partition: int, name: str) -> Lease | None:
        """Return the right to put it; None once it is there, or does not come for `PATIENCE`.

        None at once for what there was no room for a moment ago: nobody need wait for that.
        """
        lease = Lease(partition, name, secrets.token_hex(8))
        keys = self._keys(partition, cached(name), f"lease:{name}", "misses")
        end = time.monotonic() + PATIENCE
        while True:
            state = self._evaluate(LEASE, keys, lease.token, LEASE_MS)
            if state == 1:
                return lease
            if state == 0 or time.monotonic() > end:
                return None
            time.sleep(POLL)

    def put(
        self, lease: Lease, body: bytes, value: bytes, numbers: Sequence[tuple[str, int]]
    ) -> bool:
        """Put it on the shelf; return False if the lease is gone, or there is no room.

        numbers: (name, number) of each, in the order in which they will be answered.
        """
        if len(numbers) > MOST_NUMBERS:
            self._spare(lease)
            return False
        # They expire one by one: what was put at once must not be missed at once.
        life = int(self._milliseconds * random.uniform(0.8, 1.0))  # noqa: S311
        # What lives was put in this period or the last: each may take half of the room.
        period = int(time.time() * 1000) // self._milliseconds
        names = (cached(lease.name), f"lease:{lease.name}", f"put:{period}")
        keys = self._keys(lease.partition, *names, *(f"number:{name}" for name, _ in numbers))
        cap = self._max_bytes // 2
        arguments = (lease.token, cap, life, body, value, *(number for _, number in numbers))
        state = self._evaluate(PUT, keys, *arguments)
        if state == -1:
            self._spare(lease)
        return bool(state == 1)

    def misses(self, partition: int) -> int:
        """Return how often something was not there and had to be prepared. Raises LogError."""
        (key,) = self._keys(partition, "misses")
        return int(self._servers.ask(key, lambda at: call(at.pool, "GET", key)) or 0)

    def release(self, lease: Lease) -> None:
        """Give the lease back: there is nothing to put."""
        self._delete(self._keys(lease.partition, f"lease:{lease.name}"))

    def forget(self, partition: int, names: Iterable[str]) -> None:
        """Remove what is prepared under `names`, and see that nothing older is put there."""
        both = [key for name in names for key in (cached(name), f"lease:{name}")]
        for some in _chunks(both):
            self._delete(self._keys(partition, *some))

    def raise_to(self, partition: int, numbers: Mapping[str, int]) -> list[str]:
        """Raise those numbers that are on the shelf and lower; return the names of all there."""
        there: list[str] = []
        for some in _chunks(list(numbers)):
            keys = self._keys(partition, *[f"number:{name}" for name in some])
            values = [numbers[name] for name in some]
            there += [some[place - 1] for place in self._evaluate(RAISE, keys, *values)]
        return there

    def set_tombstone(self, partition: int, name: str) -> None:
        """Remove a number that went down, and let none be put for some seconds.

        By then nobody is left who has read the higher one.
        """
        (key,) = self._keys(partition, f"number:{name}")
        self._servers.ask(key, lambda at: call(at.pool, "SET", key, "-", "PX", TOMBSTONE_MS))

    def close(self) -> None:
        self._servers.close()

    def _spare(self, lease: Lease) -> None:
        """See that for a while nobody takes the lease, nor waits for who has it."""
        (key,) = self._keys(lease.partition, f"lease:{lease.name}")
        self._servers.ask(key, lambda at: call(at.pool, "SET", key, "-", "PX", LEASE_MS))

    def _keys(self, partition: int, *names: str) -> list[str]:
        return [partition_key(self._prefix, partition, name) for name in names]

    def _evaluate(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        return self._servers.ask(
            keys[0], lambda at: evaluate(at.pool, script, len(keys), *keys, *arguments)
        )

    def _delete(self, keys: Sequence[str]) -> None:
        self._servers.ask(keys[0], lambda at: call(at.pool, "DEL", *keys))


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))


@cache
def get_page_cache() -> PageCache:
    """Return what is prepared beside that log: when one of them is away, so is the other."""
    return PageCache(
        conf.EVENTLOG_URL,
        breaker=get_log().breaker,
        prefix=conf.EVENTLOG_PREFIX,
        seconds=conf.PREPARED_SECONDS,
        max_bytes=conf.PREPARED_MAX_BYTES // conf.EVENTLOG_PARTITIONS,
        timeout=conf.EVENTLOG_TIMEOUT_SECONDS,
    )


def _build_anew(setting: str, **kwargs: object) -> None:
    if setting.startswith(("EVENTLOG_", "PREPARED_")):
        get_page_cache.cache_clear()


setting_changed.connect(_build_anew, dispatch_uid="counters.cache")

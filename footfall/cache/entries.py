"""The cache entries in Redis: for each page its event, the page, and the keys of its counters.

Counters change more often than pages, so they lie beside them, as the last flush has published
them: the pages of a partition share them.

All pages of a partition that were stored since they were last discarded are of one *generation*:
they are not used once its key is gone.

Entries are copies: losing one costs time and nothing else. A caller stores an entry under a
*lease*. An invalidation, which comes after the change, removes the entry *and* the lease: so a page
that was read before the change, however long ago, is not stored after it.
"""

import random
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from footfall.cache.distrust import Distrust
from footfall.cache.lua_scripts import DISCARD, INCREASE, LEASE, RAISE, STORE
from footfall.common.breaker import CircuitBreaker
from footfall.common.chunks import chunks
from footfall.conf import cached_until_change, conf
from footfall.eventlog.cluster import is_cluster, servers
from footfall.eventlog.connections import call, evaluate
from footfall.eventlog.lua_scripts import Script
from footfall.eventlog.partitions import cached, partition_key
from footfall.log import get_log, is_in_memory, key_prefix, log_url

KEYS_PER_CALL = 500  # bounds how long one call keeps Redis from others
MAX_COUNTERS = 1_000
"""Most counters of a page that is cached."""
LEASE_MS = 3_000
TOMBSTONE_MS = 5_000  # longer than a lease, and than `publish.MAX_AGE_SECONDS`
POLL_SECONDS = 0.005  # between two tries to get a lease
WAIT_SECONDS = 0.5  # for another caller's lease; then the caller reads the page without one
UNGUARDED_TIMEOUT = 0.2  # seconds for a call that does not heed the circuit breaker


class Lease(NamedTuple):
    """The right to store one cache entry."""

    partition: int
    name: str
    token: str
    generation: str


class PageCache:
    """The cache entries of every partition.

    url, prefix, timeout, breaker: as for `RedisLog`; best use the log's breaker.
    partitions: how many there are.
    seconds: an entry expires after this time at the latest.
    max_bytes: about how much of Redis' memory the entries of one partition may take.

    Every method raises LogError: Away if Redis does not answer, Refused if it was not asked.
    """

    def __init__(
        self,
        url: str,
        *,
        breaker: CircuitBreaker,
        prefix: str = "footfall",
        partitions: int = 1,
        seconds: float = 300.0,
        max_bytes: int = 16 * 1024**2,
        timeout: float = 1.0,
    ) -> None:
        self._prefix = prefix
        self._milliseconds = int(seconds * 1000)
        self._max_bytes = max_bytes
        self._breaker = breaker
        self._servers = servers(url, timeout, breaker)
        clustered = is_cluster(url)
        self._unguarded = servers(url, timeout if clustered else min(timeout, UNGUARDED_TIMEOUT))
        self._together = None if clustered else range(partitions)
        self.distrusted = Distrust(self.discard)
        """The partitions of which this process uses no cached page."""

    def lease(self, partition: int, name: str) -> Lease | None:
        """Return a lease, or None once the page is cached, or after `WAIT_SECONDS`.

        Return None immediately if, in the last LEASE_MS, the page was too large or the cache was
        full.
        """
        token = secrets.token_hex(8)
        keys = self._keys(partition, cached(name), f"lease:{name}", "misses", "generation")
        end = time.monotonic() + WAIT_SECONDS
        while True:
            state = self._evaluate(LEASE, keys, token, LEASE_MS, 2 * self._milliseconds)
            if isinstance(state, bytes):
                return Lease(partition, name, token, state.decode())
            if state == 0 or time.monotonic() > end:
                return None
            time.sleep(POLL_SECONDS)

    def store(
        self, lease: Lease, body: bytes, page: bytes, counters: Sequence[tuple[str, int]]
    ) -> bool:
        """Store an entry; return False if the lease is gone, or there is no room.

        body: of the event. counters: (name, value) of each, in the order of the page.
        """
        if len(counters) > MAX_COUNTERS:
            self._block(lease.partition, f"lease:{lease.name}", LEASE_MS)
            return False
        # Entries that were stored at the same time must not expire at the same time.
        life = int(self._milliseconds * random.uniform(0.8, 1.0))  # noqa: S311
        # A live entry was stored in this period or the previous one, so each period may use half
        # of the memory.
        period = int(time.time() * 1000) // self._milliseconds
        names = [cached(lease.name), f"lease:{lease.name}", f"stored:{period}", "generation"]
        names += [f"valid:{lease.generation}", *(f"counter:{name}" for name, _ in counters)]
        keys = self._keys(lease.partition, *names)
        arguments = [lease.token, self._max_bytes // 2, life, lease.generation, body, page]
        state = self._evaluate(STORE, keys, *arguments, *(value for _, value in counters))
        if state == -1:
            self._block(lease.partition, f"lease:{lease.name}", LEASE_MS)
        return bool(state == 1)

    def misses(self, partition: int) -> int:
        """Return how often a page was not cached when it was needed. Raises LogError."""
        return int(self._call("GET", self._keys(partition, "misses")) or 0)

    def release(self, lease: Lease) -> None:
        """Give a lease back without storing an entry."""
        self._call("DEL", self._keys(lease.partition, f"lease:{lease.name}"))

    def invalidate(self, partition: int, names: Iterable[str]) -> None:
        """Remove the entries with these names, and the leases of callers that read older pages."""
        both = [key for name in names for key in (cached(name), f"lease:{name}")]
        for some in chunks(both, KEYS_PER_CALL):
            self._call("DEL", self._keys(partition, *some))

    def increase_counters(self, partition: int, counters: Mapping[str, int]) -> list[str]:
        """Increase those counters that exist and are lower; return the names of all that exist."""
        existing: list[str] = []
        for some in chunks(list(counters), KEYS_PER_CALL):
            keys = self._keys(partition, *[f"counter:{name}" for name in some])
            values = [counters[name] for name in some]
            existing += [some[index - 1] for index in self._evaluate(INCREASE, keys, *values)]
        return existing

    def raise_counters(self, partition: int, counters: Mapping[str, int]) -> None:
        """Let no page that is cached, or being stored, show less than this.

        Redis is asked whatever the breaker says: it may have opened for one broken connection.
        """
        for some in chunks(list(counters), KEYS_PER_CALL):
            keys = self._keys(partition, *[f"counter:{name}" for name in some])
            self._ask_unguarded(RAISE, keys, LEASE_MS, *[counters[name] for name in some])

    def discard(self, partition: int) -> None:
        """Discard all pages of a partition, cached ones and those that are being stored.

        Redis is asked whatever the breaker says.
        """
        generation, valid = self._keys(partition, "generation", "valid:")
        self._ask_unguarded(DISCARD, [generation], valid)

    def distrust(self, partition: int) -> None:
        """Use no page that is cached now in this partition, nor in others of the same server."""
        self.distrusted.add(self._together or [partition])

    def set_tombstone(self, partition: int, name: str) -> None:
        """Replace a counter that went down by a tombstone, so that none is stored for a time.

        After `TOMBSTONE_MS` no process is left that has read the higher value.
        """
        self._block(partition, f"counter:{name}", TOMBSTONE_MS)

    def close(self) -> None:
        self.distrusted.clear()
        self._servers.close()
        self._unguarded.close()

    def _block(self, partition: int, name: str, milliseconds: int) -> None:
        """Let no caller take this lease, nor wait for it; or store this counter."""
        self._call("SET", self._keys(partition, name), "-", "PX", milliseconds)

    def _keys(self, partition: int, *names: str) -> list[str]:
        return [partition_key(self._prefix, partition, name) for name in names]

    def _evaluate(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        return self._servers.ask(
            keys[0], lambda at: evaluate(at.pool, script, len(keys), *keys, *arguments)
        )

    def _ask_unguarded(self, script: Script, keys: Sequence[str], *arguments: Any) -> None:
        self._unguarded.ask(
            keys[0], lambda at: evaluate(at.pool, script, len(keys), *keys, *arguments)
        )
        self._breaker.succeeded()

    def _call(self, command: str, keys: Sequence[str], *arguments: Any) -> Any:
        return self._servers.ask(keys[0], lambda at: call(at.pool, command, *keys, *arguments))


class NoPageCache(PageCache):
    """Beside a log in memory no page is cached: each is read from the database."""

    def lease(self, partition: int, name: str) -> Lease | None:
        return None

    def distrust(self, partition: int) -> None:
        """There is nothing to be discarded."""

    def increase_counters(self, partition: int, counters: Mapping[str, int]) -> list[str]:
        return []

    def _ask_unguarded(self, script: Script, keys: Sequence[str], *arguments: Any) -> None:
        """There is nothing to be changed."""

    def _call(self, command: str, keys: Sequence[str], *arguments: Any) -> Any:
        return None


def get_page_cache() -> PageCache:
    """Return this process' page cache. It shares the log's breaker: both are on the same Redis."""
    return _no_page_cache() if is_in_memory() else _page_cache()


@cached_until_change
def _no_page_cache() -> PageCache:
    return NoPageCache("redis://", breaker=CircuitBreaker())


@cached_until_change
def _page_cache() -> PageCache:
    return PageCache(
        log_url(),
        breaker=get_log().breaker,
        prefix=key_prefix(),
        partitions=conf.COUNTERS_PARTITIONS,
        seconds=conf.COUNTERS_CACHE_SECONDS,
        max_bytes=conf.COUNTERS_CACHE_MAX_BYTES // conf.COUNTERS_PARTITIONS,
        timeout=conf.COUNTERS_LOG_TIMEOUT_SECONDS,
    )

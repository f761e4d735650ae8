"""Redis Cluster: which of its masters holds a key, as far as this process knows.

All keys of a partition share a hash tag, so they are in one slot, and a script that uses them runs
at one master. A server that does not hold a key says so *before* it runs anything: only then is
another server asked. A command that got no answer is never sent again.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar
from urllib.parse import SplitResult

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from footfall.common.addresses import host_and_port, split
from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.connections import call, connections
from footfall.eventlog.errors import Ambiguous, Away, LogError, Redirected, Refused, Unreachable
from footfall.eventlog.producer import unknown_day
from footfall.eventlog.server import Server

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
MAX_SERVERS = 3  # that are asked for one key: slots move one at a time
REFRESH_SECONDS = 0.5  # between two refreshes of the slot table
REFRESH_TIMEOUT = 0.5  # seconds that one server may take to answer CLUSTER SLOTS

Address = tuple[str, int]
T = TypeVar("T")


def is_cluster(url: str) -> bool:
    """Tell whether `url` names a cluster: `redis+cluster://user:password@host:port,host/`."""
    return split(url).parts.scheme in SCHEMES


class Topology:
    """The slot table of a cluster and the breakers of its servers: one per process and cluster.

    url: `redis+cluster://` or `rediss+cluster://`, then `user:password@` if necessary, then some of
    the servers, `host:port` with commas between them, then `/` and options like `?ssl_cert_reqs=`.
    If one of them answers, the others are found through it.
    is_stale: whether the table is refreshed at its next use.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts, self._user, servers = split(url)
        self._named = ", ".join(servers)
        self._seeds = [host_and_port(one, 6379) for one in servers]
        self._servers = list(self._seeds)
        self._slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._breakers: dict[Address, CircuitBreaker] = {}
        self._clock = clock
        self._refreshing = threading.Lock()
        self.is_stale = True
        self._next_refresh = float("-inf")

    def master(self, slot: int) -> Address:
        """Return the address of the master that has the slot. Raises Unreachable if unknown."""
        if self.is_stale:
            self._refresh()
        address = self._slots[slot]
        if address is None:
            self.is_stale = True
            raise Unreachable(f"no server of {self._named} says who has slot {slot}")
        return address

    def masters(self) -> list[Address]:
        """Return the addresses of all masters. Raises Unreachable if none is known."""
        if self.is_stale:
            self._refresh()
        found = [address for address in dict.fromkeys(self._slots) if address]
        if not found:
            raise Unreachable(f"no server of {self._named} says who has the slots")
        return found

    def set_master(self, slot: int, address: Address) -> None:
        """Note the master of a slot, as another server has named it."""
        self._slots[slot] = address
        if address not in self._servers:
            self._servers.append(address)

    def breaker(self, address: Address) -> CircuitBreaker:
        return self._breakers.setdefault(address, CircuitBreaker())

    def url(self, address: Address) -> str:
        host, port = address
        host = f"[{host}]" if ":" in host else host
        netloc = f"{self._user}{host}:{port}"
        scheme = SCHEMES[self._parts.scheme]
        return SplitResult(scheme, netloc, "", self._parts.query, "").geturl()

    def _refresh(self) -> None:
        """Ask one server after another for the slot table, at most every `REFRESH_SECONDS`."""
        if not self._refreshing.acquire(blocking=self._slots.count(None) == len(self._slots)):
            return  # another thread does it; until then the old table is used
        try:
            if self._clock() < self._next_refresh or not self.is_stale:
                return
            self._next_refresh = self._clock() + REFRESH_SECONDS
            # First those that answered the last time.
            known = list(dict.fromkeys([*self._servers, *self._seeds]))
            random.shuffle(known)
            known.sort(key=lambda address: self.breaker(address).is_open)
            any(self._load_slots(address) for address in known)
        finally:
            self._refreshing.release()

    def _load_slots(self, address: Address) -> bool:
        """Load the slot table from one server; return False if it has none or did not answer."""
        pool = connections(self.url(address), REFRESH_TIMEOUT)
        try:
            found = call(pool, "CLUSTER", "SLOTS")
        except LogError:
            return False
        finally:
            pool.disconnect()
        if not found:
            return False
        self.is_stale = False
        slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        servers = []
        for start, end, *holders in found:
            # A server that does not know its own host name is the one that was asked.
            named = [
                (host.decode() if host and host != b"?" else address[0], int(port))
                for host, port, *_ in holders
            ]
            slots[start : end + 1] = [named[0]] * (end + 1 - start)
            servers += named
        self._slots, self._servers = slots, servers
        return True


@cache
def topology(url: str) -> Topology:
    """Return this process' topology of a cluster: log, cached pages and queue share it."""
    return Topology(url)


class Cluster:
    """The servers of a cluster, with the interface of a single `Server`.

    Each has its own connections and circuit breaker: a dead server stops its own slots only.
    """

    def __init__(
        self,
        url: str,
        timeout: float,
        day: Callable[[], int] = unknown_day,
        replicas: int = 0,
    ) -> None:
        self._topology = topology(url)
        self._timeout = timeout
        self._day = day
        self._replicas = replicas
        self._servers: dict[Address, Server] = {}

    def ask(self, key: str, do: Callable[[Server], T]) -> T:
        """As `Server.ask`, at the master that holds the key.

        If it does not answer, the LogError is not Away: the other masters may well answer.
        """
        slot = key_slot(key.encode())
        tries = MAX_SERVERS
        while True:
            address = self._topology.master(slot)
            try:
                return self._server(address).ask(key, do)
            except Redirected as error:
                tries -= 1
                if error.address is None or not tries:
                    raise
                host, port = error.address
                self._topology.set_master(slot, (host or address[0], port))
            except (Refused, Ambiguous):
                self._topology.is_stale = True
                raise
            except Away as error:
                self._topology.is_stale = True
                raise LogError(str(error)) from error

    def ask_all(self, do: Callable[[Server], T]) -> list[T]:
        """Return what `do` returns at each master that answers. Raises LogError if none does."""
        found: list[T] = []
        last: LogError | None = None
        for address in self._topology.masters():
            try:
                found.append(self._server(address).ask("", do))
            except LogError as error:
                self._topology.is_stale = True
                last = error
        if last and not found:
            raise last
        return found

    def close(self) -> None:
        for server in list(self._servers.values()):
            server.close()

    def _server(self, address: Address) -> Server:
        if address not in self._servers:
            breaker = self._topology.breaker(address)
            url = self._topology.url(address)
            server = Server(url, self._timeout, breaker, self._day, self._replicas)
            self._servers.setdefault(address, server)  # another thread may be faster
        return self._servers[address]


Servers = Server | Cluster


def servers(
    url: str,
    timeout: float,
    breaker: CircuitBreaker | None = None,
    day: Callable[[], int] = unknown_day,
    replicas: int = 0,
) -> Servers:
    """Return the server or the cluster at `url`; `breaker` is for a single server."""
    if is_cluster(url):
        return Cluster(url, timeout, day, replicas)
    return Server(url, timeout, breaker, day, replicas)

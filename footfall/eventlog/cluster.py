"""Redis Cluster: which of its masters has a key, as far as this process knows.

All keys of a partition share a hash tag, so they are in one slot, and a script that touches them
runs at one master. A server that does not have a key (any more) says so *before* it runs anything:
only then is another one asked. An answer that does not come is never asked for again.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.connections import call, connections
from footfall.eventlog.errors import Ambiguous, Away, Elsewhere, LogError, Refused, Unreachable
from footfall.eventlog.server import Server

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
HOPS = 3  # servers that are asked for one key: slots move one at a time
REFRESH = 0.5  # seconds between two looks at who has what
PATIENCE = 0.5  # seconds that a server may take to say so

Address = tuple[str, int]
T = TypeVar("T")


def is_cluster(url: str) -> bool:
    """Tell whether `url` is one of a cluster: `redis+cluster://user:password@host:port,host/`."""
    return urlsplit(url).scheme in SCHEMES


class Topology:
    """Who has which slot, and who does not answer: one for all that a process asks of a cluster.

    url: `redis+cluster://` or `rediss+cluster://`, then `user:password@` if need be, then some of
    the servers, `host:port` with commas between them, then `/` and options like `?ssl_cert_reqs=`.
    Any one of them that answers is enough; all others are found through it.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = urlsplit(url)
        self._seeds = [_address(one) for one in self._hosts().split(",")]
        self._servers = list(self._seeds)
        self._slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._breakers: dict[Address, CircuitBreaker] = {}
        self._clock = clock
        self._looking = threading.Lock()
        self._doubtful = True
        self._next_look = float("-inf")

    def master(self, slot: int) -> Address:
        """Return who has the slot. Raises Unreachable if that is not known."""
        if self._doubtful:
            self._look()
        address = self._slots[slot]
        if address is None:
            self.doubt()
            raise Unreachable(f"no server of {self._hosts()} says who has slot {slot}")
        return address

    def learn(self, slot: int, address: Address) -> None:
        """Note what a server has said of a slot."""
        self._slots[slot] = address
        if address not in self._servers:
            self._servers.append(address)

    def doubt(self) -> None:
        """Look again who has what, at the next occasion: somebody does not answer, or no more."""
        self._doubtful = True

    def breaker(self, address: Address) -> CircuitBreaker:
        return self._breakers.setdefault(address, CircuitBreaker())

    def url(self, address: Address) -> str:
        """Return the URL of one server."""
        host, port = address
        host = f"[{host}]" if ":" in host else host
        user, at, _ = self._parts.netloc.rpartition("@")
        scheme = SCHEMES[self._parts.scheme]
        return SplitResult(scheme, f"{user}{at}{host}:{port}", "", self._parts.query, "").geturl()

    def _hosts(self) -> str:
        return self._parts.netloc.rpartition("@")[2]

    def _look(self) -> None:
        """Ask server after server until one says who has what; not too often."""
        if not self._looking.acquire(blocking=self._slots.count(None) == len(self._slots)):
            return  # somebody else does; what was known has to do meanwhile
        try:
            if self._clock() < self._next_look or not self._doubtful:
                return
            self._next_look = self._clock() + REFRESH
            # Those first that answered when they were last asked.
            known = list(dict.fromkeys([*self._servers, *self._seeds]))
            random.shuffle(known)
            known.sort(key=lambda address: self.breaker(address).is_open)
            any(self._ask(address) for address in known)
        finally:
            self._looking.release()

    def _ask(self, address: Address) -> bool:
        pool = connections(self.url(address), PATIENCE)
        try:
            found = call(pool, "CLUSTER", "SLOTS")
        except LogError:
            return False
        finally:
            pool.disconnect()
        if not found:
            return False
        self._doubtful = False
        slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        servers = []
        for start, end, *holders in found:
            # A server that does not know its own name is the one that was asked.
            named = [(_text(host) or address[0], int(port)) for host, port, *_ in holders]
            slots[start : end + 1] = [named[0]] * (end + 1 - start)
            servers += named
        self._slots, self._servers = slots, servers
        return True


@cache
def topology(url: str) -> Topology:
    """Return what this process knows of a cluster: the log, the shelf and the queue share it."""
    return Topology(url)


class Cluster:
    """The servers of a cluster, each with connections of its own; asked as a single one is.

    One that is dead or silent concerns its own slots: its circuit is open, no other's.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._topology = topology(url)
        self._timeout = timeout
        self._servers: dict[Address, Server] = {}

    def ask(self, key: str, do: Callable[[Server], T]) -> T:
        """As `Server.ask`, at the master that has the key.

        One that does not answer raises a LogError that is not Away: the others may well be there.
        """
        slot = key_slot(key.encode())
        hops = HOPS
        while True:
            asked = self._topology.master(slot)
            try:
                return self._server(asked).ask(key, do)
            except Elsewhere as error:
                hops -= 1
                if error.address is None or not hops:
                    raise
                host, port = error.address
                self._topology.learn(slot, (host or asked[0], port))
            except (Refused, Ambiguous):
                self._topology.doubt()
                raise
            except Away as error:
                self._topology.doubt()
                raise LogError(str(error)) from error

    def close(self) -> None:
        for server in list(self._servers.values()):
            server.close()

    def _server(self, address: Address) -> Server:
        server = self._servers.get(address)
        if server is None:
            breaker = self._topology.breaker(address)
            server = Server(self._topology.url(address), self._timeout, breaker)
            server = self._servers.setdefault(address, server)  # another thread may be faster
        return server


Servers = Server | Cluster


def servers(url: str, timeout: float, breaker: CircuitBreaker | None = None) -> Servers:
    """Return who is asked at `url`; `breaker` is of a single server."""
    return Cluster(url, timeout) if is_cluster(url) else Server(url, timeout, breaker)


def _address(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{text!r} names no server")
    return parts.hostname, parts.port or 6379


def _text(host: Any) -> str:
    text = host.decode() if host else ""
    return "" if text == "?" else text

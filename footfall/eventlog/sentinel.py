"""Redis Sentinel: connections to whichever server is the master now.

A connection asks the sentinels when it is made, and again once a second when it is used: a master
that was replaced while it lived takes writes for some ten seconds more, and then loses them.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, Self
from urllib.parse import SplitResult

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection, parse_url
from redis.exceptions import NoPermissionError, ReadOnlyError
from redis.retry import Retry
from redis.sentinel import Sentinel

from footfall.common.addresses import host_and_port, split

SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
PORT = 26379
TIMEOUT = 0.5  # seconds that one sentinel may take to answer
INTERVAL = 1.0  # seconds between two looks at who the master is
SHARE = 0.1  # of its time, at most, that a process looks

Address = tuple[str, int]


def is_sentinel(url: str) -> bool:
    """Tell whether `url` names sentinels: see `Named`."""
    return split(url).parts.scheme in SCHEMES


class Named(NamedTuple):
    """What an address names.

    It is `redis+sentinel://` or `rediss+sentinel://`, then `user:password@` of the Redis servers if
    necessary, then the sentinels, `host:port` with commas between them, then `/` and the number of
    the database, then `?service_name=` and the name under which the sentinels know the master. The
    sentinels' own `sentinel_username=` and `sentinel_password=` may follow, and any option of
    redis-py, as `ssl_ca_certs=`: those of TLS are for the sentinels, too.
    """

    sentinels: list[Address]
    service_name: str
    options: dict[str, Any]
    """Of a connection to a Redis server, as redis-py names them: without host and port."""
    sentinel_options: dict[str, Any]
    """Of a client of a sentinel."""
    is_encrypted: bool

    @classmethod
    def by(cls, url: str) -> Self:
        """Parse an address. Raises ValueError if it is not one."""
        parts, user, servers = split(url)
        if parts.scheme not in SCHEMES:
            raise ValueError("an address of sentinels begins with redis+sentinel://")
        scheme = SCHEMES[parts.scheme]
        options = parse_url(SplitResult(scheme, f"{user}_", parts.path, parts.query, "").geturl())
        options.pop("host")
        options.pop("connection_class", None)
        own = {
            name.removeprefix("sentinel_"): options.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if name in options
        }
        if not (service_name := options.pop("service_name", "")):
            raise ValueError("an address of sentinels needs ?service_name=, the master's name")
        tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
        own |= {"ssl": True, **tls} if scheme == "rediss" else {}
        return cls(
            [host_and_port(one, PORT) for one in servers], service_name, options, own,
            scheme == "rediss",
        )  # fmt: skip


class Master:
    """Finds out which server is the master. Safe for threads, and across a fork."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        named = Named.by(url)
        self._service_name = named.service_name
        self._sentinels = named.sentinels
        # Nothing is retried here: callers have circuit breakers.
        self._options = {
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            **named.sentinel_options,
        }
        self._clock = clock
        self._known: Address | None = None
        self._next_look = float("-inf")

    def address(self) -> Address:
        """Ask one sentinel after another, first the one that knew it last.

        Raises redis.ConnectionError if none knows a master that answers.
        """
        asked = Sentinel(self._sentinels, sentinel_kwargs=self._options)
        try:
            host, port = asked.discover_master(self._service_name)  # puts its source first
            known = [one.connection_pool.connection_kwargs for one in asked.sentinels]
            self._sentinels = [(one["host"], one["port"]) for one in known]
        finally:
            for one in asked.sentinels:
                one.close()
        self._known = str(host), int(port)
        return self._known

    def is_replaced(self, address: Address) -> bool:
        """Tell whether another server than this one is the master, as far as a sentinel says."""
        began = self._clock()
        if began >= self._next_look:
            self._next_look = began + TIMEOUT / SHARE  # other threads do not look meanwhile
            with suppress(redis.RedisError):
                self.address()
            ended = self._clock()
            self._next_look = max(began + INTERVAL, ended + (ended - began) / SHARE)
        return self._known not in {None, address}


@cache
def master(url: str) -> Master:
    """Return this process' view of the sentinels: log, cached pages and cache share it."""
    return Master(url)


class MasterConnection(Connection):
    """A connection to the server that is the master when it is made."""

    def __init__(self, *, master: Master, **options: Any) -> None:
        self._master = master
        super().__init__(**options)

    def connect(self) -> None:
        if self._is_connected and self._master.is_replaced((self.host, self.port)):
            self.disconnect()
        is_new = not self._is_connected
        super().connect()
        if is_new:
            self._check_role()

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ReadOnlyError:
            self.disconnect()  # it was the master: ask again
            raise

    @property
    def _is_connected(self) -> bool:
        sock: Any = self._sock
        return sock is not None

    def _connect(self) -> Any:
        self.host, self.port = self._master.address()
        return super()._connect()

    def _check_role(self) -> None:
        """Raise redis.ConnectionError for a replica: a sentinel may learn of a promotion late."""
        try:
            self.send_command("ROLE")
            role = self.read_response(disable_decoding=True)[0]
        except NoPermissionError:  # its user may not ask
            return
        if role != b"master":
            self.disconnect()
            raise redis.ConnectionError(f"{self.host}:{self.port} is not the master")


class EncryptedMasterConnection(MasterConnection, SSLConnection):
    pass


class MasterPool(ConnectionPool):
    """A pool of connections to the master: `pool_class` of Django's Redis cache, too."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return a pool for an address of sentinels. Raises ValueError if it is not one."""
        named = Named.by(url)
        kind = EncryptedMasterConnection if named.is_encrypted else MasterConnection
        given = {"protocol": 2, **named.options, **options}
        return cls(connection_class=kind, master=master(url), **given)

"""A time-out for a PostgreSQL server that accepts connections but does not respond.

A server that is stopped (SIGSTOP, a hanging disk) keeps its connections, and its kernel
acknowledges for it: keepalives notice nothing, and the server's own time-outs do not run. So the
client waits with a time-out, for connecting too, and requests are answered with 503. Slow queries
on a live server go on: when the time is up, a second connection checks that the server is alive.
Only the web server calls `install`; the flush and the other workers may wait.

Of several hosts each has the whole time-out. libpq by itself would wait for the first one alone: it
has no time-out where its caller does the waiting.
"""

import select
import time
from typing import Any

import psycopg2
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db import connection as default_connection
from psycopg2 import extensions
from psycopg2.extensions import POLL_OK, POLL_READ, STATUS_SETUP

from footfall.common.breaker import CircuitBreaker


class DatabaseTimeout(psycopg2.OperationalError):
    """PostgreSQL does not respond. psycopg2 closes a connection on which this is raised."""


class ProbeConnection(extensions.connection):
    """The second connection, which checks that the server is alive."""


class GuardedConnection(extensions.connection):
    """A connection of which it is known to which database and host it is.

    dsn: of one host.
    """

    def __init__(self, dsn: str, hosts: "Hosts", *arguments: Any) -> None:
        known = extensions.parse_dsn(dsn)
        self.server: dict[str, Any] = {
            name: known[name] for name in ("host", "port") if name in known
        }
        self.hosts = hosts
        super().__init__(dsn, *arguments)


class Hosts:
    """Makes connections, one host after another: first to the one that answered last.

    No connection is attempted while the circuit is open: each database has its own.
    """

    def __init__(
        self, alias: str = DEFAULT_DB_ALIAS, breaker: CircuitBreaker | None = None
    ) -> None:
        self.alias = alias
        self.breaker = breaker or CircuitBreaker()
        self._first = 0

    def __call__(self, dsn: str, *arguments: Any) -> GuardedConnection:
        """Raises psycopg2.OperationalError, with what each host said."""
        if not self.breaker.allows():
            raise DatabaseTimeout("PostgreSQL did not answer just now")
        hosts = one_by_one(dsn)
        first = self._first % len(hosts)
        errors: list[psycopg2.OperationalError] = []
        for number in (*range(first, len(hosts)), *range(first)):
            try:
                connection = GuardedConnection(hosts[number], self, *arguments)
            except psycopg2.OperationalError as error:
                errors.append(error)
            else:
                self._first = number
                return connection
        if len(errors) == 1:
            raise errors[0]
        raise type(errors[-1])("\n".join(str(error).strip() for error in errors)) from errors[-1]


def one_by_one(dsn: str) -> list[str]:
    """Return a DSN for each of the hosts."""
    known: dict[str, Any] = extensions.parse_dsn(dsn)
    hosts = str(known.get("host", "")).split(",")
    ports = str(known.get("port", "")).split(",")
    if len(hosts) == 1:
        return [dsn]
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [
        extensions.make_dsn(**{**known, "host": host, "port": port})
        for host, port in zip(hosts, ports, strict=True)
    ]


class WaitCallback:
    """psycopg2's wait callback: called for every query, and for connecting.

    seconds: the time-out. The check that follows may take half as long again. After a server did
    not respond, only one request per second tries it again; the others fail at once.
    """

    def __init__(self, seconds: float, breaker: CircuitBreaker | None = None) -> None:
        self.seconds = seconds
        self.breaker = breaker or CircuitBreaker()

    def __call__(self, connection: extensions.connection) -> None:
        if isinstance(connection, ProbeConnection):
            if not wait_until_done(connection, self.seconds / 2):
                raise DatabaseTimeout
            return
        breaker = self.breaker
        if isinstance(connection, GuardedConnection):
            breaker = connection.hosts.breaker
        if connection.status != STATUS_SETUP and not breaker.allows():
            raise DatabaseTimeout("PostgreSQL did not answer just now")
        while not wait_until_done(connection, self.seconds):
            if not is_alive(connection):
                breaker.failed()
                raise DatabaseTimeout(f"PostgreSQL did not answer within {self.seconds:g} s")
        if breaker.is_open:
            breaker.succeeded()


def wait_until_done(connection: extensions.connection, seconds: float) -> bool:
    """Wait for the result of what was sent; return False if there is none after `seconds`."""
    end = time.monotonic() + seconds
    while (state := connection.poll()) != POLL_OK:
        poller = select.poll()  # takes any file descriptor; `select.select` only those below 1024
        poller.register(connection, select.POLLIN if state == POLL_READ else select.POLLOUT)
        if not poller.poll(max(0.0, end - time.monotonic()) * 1000):
            return False
    return True


def is_alive(connection: extensions.connection) -> bool:
    """Return whether its server responds to a new connection; refusing it is a response, too."""
    parameters: dict[str, Any] = default_connection.get_connection_params()
    if isinstance(connection, GuardedConnection):
        parameters = connections[connection.hosts.alias].get_connection_params()
        parameters |= connection.server
    try:
        probe = psycopg2.connect(**{**parameters, "connection_factory": ProbeConnection})
    except DatabaseTimeout:
        return False
    except psycopg2.OperationalError:
        return True
    try:
        probe.cursor().execute("SELECT 1")
    except psycopg2.Error:
        return False
    finally:
        probe.close()
    return True


def install() -> WaitCallback:
    """Set the time-out for every PostgreSQL connection that this process makes from now on."""
    wait = WaitCallback(settings.DATABASE_TIMEOUT_SECONDS)
    for alias in connections:
        if connections[alias].vendor == "postgresql":
            extensions.set_wait_callback(wait)
            breaker = wait.breaker if alias == DEFAULT_DB_ALIAS else None
            # The connections of all threads share this dictionary.
            options = connections[alias].settings_dict["OPTIONS"]
            options["connection_factory"] = Hosts(alias, breaker)
    return wait

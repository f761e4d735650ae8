"""A time-out for a PostgreSQL server that accepts connections but does not respond.

A server that is stopped (SIGSTOP, a hanging disk) keeps its connections, and its kernel
acknowledges for it: keepalives notice nothing, and the server's own time-outs do not run. So the
client waits with a time-out, for connecting too, and requests are answered with 503. Slow queries
on a live server go on: when the time is up, a second connection checks that the server is alive.
Only the web server calls `install`; the flush and the other workers may wait.
"""

import select
import time
from functools import partial
from typing import Any

import psycopg2
from django.conf import settings
from django.db import connection as default_connection
from psycopg2 import extensions
from psycopg2.extensions import POLL_OK, POLL_READ, STATUS_SETUP

from footfall.common.breaker import CircuitBreaker


class DatabaseTimeout(psycopg2.OperationalError):
    """PostgreSQL does not respond. psycopg2 closes a connection on which this is raised."""


class ProbeConnection(extensions.connection):
    """The second connection, which checks that the server is alive."""


class GuardedConnection(extensions.connection):
    """A connection that is not attempted while the circuit is open."""

    def __init__(self, wait: "WaitCallback", *arguments: Any, **options: Any) -> None:
        if not wait.breaker.allows():
            raise DatabaseTimeout("PostgreSQL did not answer just now")
        super().__init__(*arguments, **options)


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
        if connection.status != STATUS_SETUP and not self.breaker.allows():
            raise DatabaseTimeout("PostgreSQL did not answer just now")
        while not wait_until_done(connection, self.seconds):
            if not is_alive():
                self.breaker.failed()
                raise DatabaseTimeout(f"PostgreSQL did not answer within {self.seconds:g} s")
        if self.breaker.is_open:
            self.breaker.succeeded()


def wait_until_done(connection: extensions.connection, seconds: float) -> bool:
    """Wait for the result of what was sent; return False if there is none after `seconds`."""
    end = time.monotonic() + seconds
    while (state := connection.poll()) != POLL_OK:
        poller = select.poll()  # takes any file descriptor; `select.select` only those below 1024
        poller.register(connection, select.POLLIN if state == POLL_READ else select.POLLOUT)
        if not poller.poll(max(0.0, end - time.monotonic()) * 1000):
            return False
    return True


def is_alive() -> bool:
    """Return whether the server responds to a new connection; refusing it is a response, too."""
    parameters = default_connection.get_connection_params()
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
    if default_connection.vendor == "postgresql":
        extensions.set_wait_callback(wait)
        # The connections of all threads share this dictionary.
        options = default_connection.settings_dict["OPTIONS"]
        options["connection_factory"] = partial(GuardedConnection, wait)
    return wait

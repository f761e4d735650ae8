"""A PostgreSQL that is there and says nothing must not hold the requests: they are refused instead.

A server that is stopped (SIGSTOP, a disk that hangs) keeps its connections, and the kernel
acknowledges for it: no keepalive notices, and a time-out of the server's own never comes. So the
client waits itself, for connecting too. What takes long on a server that lives is left alone: when
the time is up, a second connection asks. The flush and the other workers may wait; they do not
call `install`.
"""

import select
import time
from functools import partial
from typing import Any

import psycopg2
from django.conf import settings
from django.db import connection as ours
from psycopg2 import extensions
from psycopg2.extensions import POLL_OK, POLL_READ, STATUS_SETUP

from footfall.common.breaker import CircuitBreaker


class Silent(psycopg2.OperationalError):
    """PostgreSQL does not answer. psycopg2 closes a connection on which this is raised."""


class Probe(extensions.connection):
    """A second connection, which asks whether the server lives."""


class Guarded(extensions.connection):
    """A connection that is not even tried while the circuit is open."""

    def __init__(self, deadline: "Deadline", *arguments: Any, **options: Any) -> None:
        if not deadline.breaker.allows():
            raise Silent("PostgreSQL did not answer just now")
        super().__init__(*arguments, **options)


class Deadline:
    """psycopg2's wait callback: called for every query, and for connecting.

    seconds: that the server may say nothing; then it is asked, and may take half as long again.
    After one that did not answer, for a second only the request that tries again waits.
    """

    def __init__(self, seconds: float, breaker: CircuitBreaker | None = None) -> None:
        self.seconds = seconds
        self.breaker = breaker or CircuitBreaker()

    def __call__(self, connection: extensions.connection) -> None:
        if isinstance(connection, Probe):
            if not answers(connection, self.seconds / 2):
                raise Silent
            return
        if connection.status != STATUS_SETUP and not self.breaker.allows():
            raise Silent("PostgreSQL did not answer just now")
        while not answers(connection, self.seconds):
            if not lives():
                self.breaker.failed()
                raise Silent(f"PostgreSQL did not answer within {self.seconds:g} s")
        if self.breaker.is_open:
            self.breaker.succeeded()


def answers(connection: extensions.connection, seconds: float) -> bool:
    """Wait until what was sent is done; return False if it is not after so many seconds."""
    end = time.monotonic() + seconds
    while (state := connection.poll()) != POLL_OK:
        waiting = select.poll()  # which takes any file descriptor; `select` only those below 1024
        waiting.register(connection, select.POLLIN if state == POLL_READ else select.POLLOUT)
        if not waiting.poll(max(0.0, end - time.monotonic()) * 1000):
            return False
    return True


def lives() -> bool:
    """Return whether the server answers a new connection: that it has no room is an answer, too."""
    parameters = {**ours.get_connection_params(), "connection_factory": Probe}
    try:
        probe = psycopg2.connect(**parameters)
    except Silent:
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


def install() -> Deadline:
    """Guard every connection to PostgreSQL that this process makes from now on."""
    deadline = Deadline(settings.DATABASE_TIMEOUT_SECONDS)
    if ours.vendor == "postgresql":
        extensions.set_wait_callback(deadline)
        # One dictionary, which the connections of all threads read.
        options = ours.settings_dict["OPTIONS"]
        options["connection_factory"] = partial(Guarded, deadline)
    return deadline

"""Appending: writers, each one connection and one session, and the pool that lends them out."""

import os
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import redis
from redis.connection import ConnectionPool

from footfall.common.failpoints import failpoint
from footfall.eventlog.connections import elsewhere
from footfall.eventlog.entries import Appended, EventId
from footfall.eventlog.errors import Ambiguous, Elsewhere, Full, LogError, Refused
from footfall.eventlog.scripts import Script

# Redis says these before it runs anything. Of any other error reply that is not known: a proxy
# before Redis may give up on an append that it has passed on.
REFUSALS = (
    redis.exceptions.AuthenticationError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.NoPermissionError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
)
REDIRECTIONS = (redis.exceptions.AskError, redis.exceptions.TryAgainError)
REFUSING = ("BUSY", "MISCONF", "NOREPLICAS", "OOM", "WRONGTYPE")

# A script ends so when one of its keys has left this server of a cluster. The XADD is its last.
MOVED_AWAY = "attempted to access a non local key"


class Producer:
    """One connection to Redis and one session: never two appends in flight."""

    def __init__(self, connections: ConnectionPool) -> None:
        # Not from the pool: it counts every connection that it ever made, and ends at a hundred.
        make = connections.connection_class
        self._connection: Any = make(**connections.connection_kwargs)
        self.producer_id = secrets.randbits(63)
        self._seq = 0

    def append(self, script: Script, keys: Sequence[str], *arguments: Any) -> Appended | None:
        """Send one append and wait for its answer; see `eventlog` for what is raised when.

        arguments: of the script; this writer's number comes after the first. None: the script had
        nothing to append. After Ambiguous, or anything but Refused, the writer must not be used
        again.
        """
        self._connect()
        number = EventId(self.producer_id, self._seq)
        cap, *others = arguments
        try:
            answer = self._evaluate(script, len(keys), *keys, cap, *number, *others)
        except redis.RedisError as error:
            raise _meaning(error, number) from error
        if answer is None:
            return None
        self._seq += 1
        failpoint("after_append")
        entry_id, *prepared = answer
        if not prepared:
            return Appended(entry_id, number)
        value, numbers = prepared
        return Appended(entry_id, number, [value, *numbers])

    def close(self) -> None:
        self._connection.disconnect()

    def _connect(self) -> None:
        """Connect if need be. A failure here comes before anything was sent: Refused."""
        try:
            self._connection.connect()
        except redis.RedisError as error:
            raise Refused(str(error)) from error

    def _evaluate(self, script: Script, *arguments: Any) -> Any:
        try:
            return self._call("EVALSHA", script.sha, *arguments)
        except redis.exceptions.NoScriptError:  # Redis has restarted; nothing was run
            return self._call("EVAL", script.source, *arguments)

    def _call(self, *command: Any) -> Any:
        self._connection.send_command(*command)
        return self._connection.read_response(disable_decoding=True)


def _meaning(error: redis.RedisError, number: EventId) -> LogError:
    """Return what an error tells about the append: in doubt, that it is ambiguous."""
    text = str(error)
    if text.startswith("FULL"):
        return Full(text)
    if isinstance(error, REDIRECTIONS):
        return elsewhere(error)
    if isinstance(error, REFUSALS) or text.startswith(REFUSING) or MOVED_AWAY in text:
        return Refused(text)
    return Ambiguous(number)


class ProducerPool:
    """Lends each writer to one caller at a time, the last used first.

    So a process has as many sessions as it ever had appends at once, however its threads come
    and go: each session costs the database one mark per partition.
    """

    def __init__(self, connections: ConnectionPool) -> None:
        self._connections = connections
        self._idle: deque[Producer] = deque()
        _pools.add(self)

    def append(self, script: Script, keys: Sequence[str], *arguments: Any) -> Appended | None:
        """As `Writer.append`. A writer whose append did not end well is not used again."""
        try:
            producer = self._idle.pop()
        except IndexError:
            producer = Producer(self._connections)
        try:
            appended = producer.append(script, keys, *arguments)
        except (Full, Elsewhere):
            self._idle.append(producer)
            raise
        except BaseException:
            # Whatever happened to this connection (an interrupt in mid-reply too), the idle ones
            # were made to the same server: without this, each would have its own ambiguous append.
            producer.close()
            self.close()
            raise
        self._idle.append(producer)
        return appended

    def close(self) -> None:
        """Close the idle writers and end their sessions."""
        while self._idle:
            self._idle.pop().close()

    def forget(self) -> None:
        """Drop the idle writers without a word to the server: they are the parent process'."""
        self._idle = deque()


_pools: WeakSet[ProducerPool] = WeakSet()


def _forget_sessions_of_the_parent() -> None:
    for pool in _pools:
        pool.forget()


# Two processes with one session would give two events one number, and one of them would be dropped.
os.register_at_fork(after_in_child=_forget_sessions_of_the_parent)

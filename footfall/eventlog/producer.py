"""Producers, which append over one connection each, and the pool that lends them out."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import redis
from redis.connection import ConnectionPool

from footfall.common.failpoints import failpoint
from footfall.eventlog.connections import (
    Replicas,
    redirection,
    run_script,
    run_script_replicated,
)
from footfall.eventlog.entries import UNKNOWN_DAY, Appended, EventId, new_producer_id
from footfall.eventlog.envelope import SEQUENCES, pack
from footfall.eventlog.errors import Ambiguous, Full, LogError, Redirected, Refused
from footfall.eventlog.lua_scripts import Script

# Redis replies with these before it runs anything. No other error reply proves that: a proxy in
# front of Redis may give up on an append that it has passed on.
REFUSAL_ERRORS = (
    redis.exceptions.AuthenticationError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.NoPermissionError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
)
REDIRECTIONS = (redis.exceptions.AskError, redis.exceptions.TryAgainError)
REFUSAL_PREFIXES = ("BUSY", "MISCONF", "NOREPLICAS", "OOM", "WRONGTYPE")

# A script fails with this when one of its keys has left this server of a cluster. Its XADD is last.
MOVED_AWAY = "attempted to access a non local key"


# Its state is pruned seven days after its last event, so never while it lives.
LIFE = 24 * 3600.0  # seconds


def unknown_day() -> int:
    return UNKNOWN_DAY


class Producer:
    """One connection to Redis with a producer id: never two appends in flight.

    day: of its id. replicas: which must have an event before it is acknowledged.
    """

    def __init__(
        self, connections: ConnectionPool, day: int = UNKNOWN_DAY, replicas: Replicas | None = None
    ) -> None:
        # Not from the pool, which makes at most a hundred connections in its life.
        make = connections.connection_class
        self._connection: Any = make(**connections.connection_kwargs)
        self.producer_id = new_producer_id(day)
        # The next one of each partition, by the key of its stream.
        self._sequences: dict[str, int] = {}
        self._ends = time.monotonic() + LIFE
        self._last = 0
        self._replicas = replicas

    def append(
        self, script: Script, keys: Sequence[str], limit: int, at: int, meta: bytes, *body: bytes
    ) -> Appended | None:
        """Send one append and wait for its answer. For errors see footfall/eventlog/__init__.py.

        keys: the first is that of the stream. limit: of the partition, in bytes. body: none if the
        script finds it in Redis. Returns None if the script had nothing to append. After any error
        but Refused the producer must not be used again.
        """
        try:
            self._connection.connect()
        except redis.RedisError as error:  # nothing was sent
            raise Refused(str(error)) from error
        sequence = self._sequences.get(keys[0], 0)
        event_id = EventId(self.producer_id, sequence)
        arguments = (limit, pack(event_id, at, meta), *body)
        try:
            answer, is_replicated = self._run(script, len(keys), *keys, *arguments)
        except redis.RedisError as error:
            raise _append_error(error, event_id) from error
        if answer is None:
            return None
        if not is_replicated:  # if the master dies now, it is gone
            raise Ambiguous(event_id)
        self._sequences[keys[0]] = self._last = sequence + 1
        failpoint("after_append")
        entry_id, *cached = answer
        if not cached:
            return Appended(entry_id, event_id)
        page, counters = cached
        return Appended(entry_id, event_id, [page, *counters])

    def _run(self, script: Script, *arguments: Any) -> tuple[Any, bool]:
        if self._replicas is None:
            return run_script(self._connection, script, *arguments), True
        return run_script_replicated(self._connection, script, self._replicas, *arguments)

    @property
    def is_used_up(self) -> bool:
        """Whether it is too old or may have no sequence number left: it must not be used again."""
        return self._last == SEQUENCES or time.monotonic() > self._ends

    def close(self) -> None:
        self._connection.disconnect()


def _append_error(error: redis.RedisError, event_id: EventId) -> LogError:
    """Return what an error says about the append: Ambiguous unless it proves a refusal."""
    text = str(error)
    if text.startswith("FULL"):
        return Full(text)
    if isinstance(error, REDIRECTIONS):
        return redirection(error)
    if isinstance(error, REFUSAL_ERRORS) or text.startswith(REFUSAL_PREFIXES) or MOVED_AWAY in text:
        return Refused(text)
    return Ambiguous(event_id)


class ProducerPool:
    """Lends each producer to one caller at a time, the last used first.

    So a process has as many producers as it ever had appends at once, however many threads it
    starts: each producer costs the database one producer state per partition.

    day: returns the present day, for the ids of new producers. replicas: as for `Producer`.
    """

    def __init__(
        self,
        connections: ConnectionPool,
        day: Callable[[], int] = unknown_day,
        replicas: Replicas | None = None,
    ) -> None:
        self._connections = connections
        self._day = day
        self._replicas = replicas
        self._idle: deque[Producer] = deque()
        _pools.add(self)

    def append(self, script: Script, keys: Sequence[str], *arguments: Any) -> Appended | None:
        """As `Producer.append`, with an idle producer or a new one."""
        producer = self._take()
        try:
            appended = producer.append(script, keys, *arguments)
        except (Full, Redirected):
            self._idle.append(producer)
            raise
        except BaseException:
            # Whatever broke this connection (an interrupt in mid-reply, too), the idle ones lead
            # to the same server: if they stayed, each would have its own ambiguous append.
            producer.close()
            self.close()
            raise
        if producer.is_used_up:
            producer.close()
        else:
            self._idle.append(producer)
        return appended

    def _take(self) -> Producer:
        """Return an idle producer, or a new one."""
        while True:
            try:
                producer = self._idle.pop()
            except IndexError:
                return Producer(self._connections, self._day(), self._replicas)
            if not producer.is_used_up:
                return producer
            producer.close()

    def close(self) -> None:
        # Until there is none: another thread may take or close the last one meanwhile.
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


_pools: WeakSet[ProducerPool] = WeakSet()


def _drop_producers_of_parent() -> None:
    for pool in _pools:
        pool._idle = deque()  # without closing them: their connections are the parent's, too


# Two processes with one producer would give two events the same id: one of them would be dropped.
os.register_at_fork(after_in_child=_drop_producers_of_parent)

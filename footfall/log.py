"""The log of views, with the settings of the project, under keys of this database alone."""

import logging
import sys
import threading
import time
from typing import Any, NamedTuple

from django.db import DatabaseError, OperationalError, connection

from footfall.conf import MAX_PARTITIONS, cached_until_change, clear_cached, conf
from footfall.eventlog import Log, LogError, MemoryLog, RedisLog
from footfall.eventlog.entries import UNKNOWN_DAY
from footfall.eventlog.identities import Identities, Newest, NoIdentities
from footfall.identity import Moment, find_names_with, moment, present_name

logger = logging.getLogger(__name__)

DAY = 24 * 3600.0
MEMORY = "memory:"
"""Begins the address of a log in the memory of this process."""
RETRY_SECONDS = 5.0  # between two tries to read the identity, while the database is away


def log_url() -> str:
    """Return the address of the log; in tests that of COUNTERS_TEST_LOG_URL."""
    return (conf.COUNTERS_TEST_LOG_URL if is_testing() else "") or conf.COUNTERS_LOG_URL


def is_testing() -> bool:
    """Tell whether tests run: between `setup_test_environment()` and its teardown."""
    utils: Any = sys.modules.get("django.test.utils")
    return utils is not None and "saved_data" in vars(utils._TestState)


def is_in_memory() -> bool:
    """Tell whether the log is in this process alone."""
    return _tests_are_in_memory() if is_testing() else _service_is_in_memory()


@cached_until_change
def _tests_are_in_memory() -> bool:
    return (conf.COUNTERS_TEST_LOG_URL or conf.COUNTERS_LOG_URL).startswith(MEMORY)


@cached_until_change
def _service_is_in_memory() -> bool:
    return conf.COUNTERS_LOG_URL.startswith(MEMORY)


class Owner(NamedTuple):
    """The database for which this process records views."""

    name: str
    """Its identity."""
    day: int
    """The day of the database when it was read."""
    read_at: float
    """By `time.monotonic()`."""

    def today(self) -> int:
        return min(UNKNOWN_DAY, self.day + int((time.monotonic() - self.read_at) // DAY))


@cached_until_change
def owner() -> Owner:
    """Return the owner of this process' log, read once.

    While the database is away it is the one that Redis names, if that is only one. Raises
    DatabaseError if there are several, or none.
    """
    try:
        now = _moment()
    except DatabaseError:
        if name := _only_name():
            _retry_until_it_is_read()
            return Owner(name[0], UNKNOWN_DAY, time.monotonic())
        raise
    try:
        identities().add(now.name)
    except LogError as error:  # an ingest does it, too
        logger.warning("the identity was not noted in Redis: %s", error)
    return Owner(now.name, now.day, time.monotonic())


def look_at_owner() -> None:
    """Forget the identity if the database has another one now. Raises DatabaseError.

    A web server that goes on while its database gets a new identity, or is replaced by another,
    would write to a log that is not read for this database.
    """
    known, found = owner().name, present_name()
    if found not in (known, None):  # None: it is lost, and made anew by an ingest
        logger.warning("the database has another identity than %r now: %r", known, found)
        forget_owner()


def _newest_of_names() -> dict[str, Newest]:
    """Return the identities in Redis that have stored something. Raises OperationalError."""
    try:
        known = {name: identities().newest(name) for name in identities().names()}
    except LogError as error:
        raise OperationalError(f"the identity is lost, and the log is away: {error}") from error
    return {name: newest for name, newest in known.items() if newest}


find_names_with(_newest_of_names)


def key_prefix() -> str:
    """Return what the keys of this database begin with. Raises DatabaseError, as `owner` does."""
    name = owner().name
    return f"{conf.COUNTERS_LOG_PREFIX}:{name}" if name else conf.COUNTERS_LOG_PREFIX


def forget_owner() -> None:
    """Read the identity again at the next use: it may have changed."""
    clear_cached()


def identities() -> Identities:
    """Return what this Redis knows of the databases that use it."""
    return NoIdentities() if is_in_memory() else _identities()


@cached_until_change
def _identities() -> Identities:
    timeout = conf.COUNTERS_LOG_TIMEOUT_SECONDS
    return Identities(log_url(), conf.COUNTERS_LOG_PREFIX, timeout)


def get_log() -> Log:
    """Return this process' log: one set of connections, one circuit breaker.

    Raises DatabaseError if it is not known whose log it is: see `owner`. One in memory needs no
    database, so recording a view makes no query.
    """
    return memory_log if is_in_memory() else _redis_log()


@cached_until_change
def _redis_log() -> RedisLog:
    return _log(key_prefix())


def _rolled_back() -> tuple[Any, ...]:
    """Return the transactions around a test of Django's TestCase: they never commit."""
    blocks = connection.atomic_blocks
    return tuple(one for one in blocks if getattr(one, "_from_testcase", False))


memory_log = MemoryLog(prefix=key_prefix, scope=_rolled_back)


def logs_of_others() -> dict[str, int]:
    """Return how many entries the logs of other databases in this Redis have, by identity.

    Raises LogError.
    """
    prefix, found = conf.COUNTERS_LOG_PREFIX, {}
    for name in {*identities().names()} - {owner().name}:
        log = _log(f"{prefix}:{name}" if name else prefix)
        try:
            entries = sum(map(log.length, log.existing(range(MAX_PARTITIONS))))
        finally:
            log.close()
        if entries:
            found[name] = entries
    return found


def _log(prefix: str) -> RedisLog:
    partitions = conf.COUNTERS_PARTITIONS
    cap = conf.COUNTERS_LOG_MAX_BYTES // partitions
    # Applied events that are kept must leave room for new ones.
    retention = min(conf.COUNTERS_LOG_RETENTION_BYTES // partitions, cap // 2)
    return RedisLog(
        log_url(),
        prefix=prefix,
        max_bytes=cap,
        retention_seconds=conf.COUNTERS_LOG_RETENTION_SECONDS,
        retention_bytes=retention,
        timeout=conf.COUNTERS_LOG_TIMEOUT_SECONDS,
        day=owner().today,
        replicas=conf.COUNTERS_WAIT_REPLICAS,
    )


def _moment() -> Moment:
    """Return the moment; leave no connection in a thread that had none: it may never close it."""
    had_connection = connection.connection is not None
    try:
        return moment()
    finally:
        if not had_connection:
            connection.close()


def _only_name() -> tuple[str] | None:
    """Return the only identity that Redis names, in a tuple; None if there is not one."""
    try:
        names = identities().names()
    except LogError:
        return None
    return (names[0],) if len(names) == 1 else None


def _retry_until_it_is_read() -> None:
    """Have a thread wait for the database, so that no request does."""

    def wait() -> None:
        while True:
            time.sleep(RETRY_SECONDS)
            try:
                _moment()
            except DatabaseError:
                continue
            forget_owner()
            return

    threading.Thread(target=wait, name="identity", daemon=True).start()

"""Lists, series and the dashboard from a replica: `DATABASE_REPLICA_URL`.

What is not asked for inside of `reading()` comes from the primary, and so does everything while the
replica is away or more than `DATABASE_REPLICA_MAX_LAG_SECONDS` behind.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections, models

logger = logging.getLogger(__name__)

ALIAS = "replica"
APPS = frozenset({"books", "counters", "films", "pages", "uploads"})
"""Of models that are read from it: no sessions, no accounts."""
LOOK_SECONDS = 1.0
"""How often a process looks how far the replica is."""
MAX_LOOKS = 1_000
END_OF_LOG = """
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
        - '0/0'
"""

_is_reading: ContextVar[bool] = ContextVar("is_reading", default=False)


class Router:
    """Sends queries to the replica inside of `reading()`, and nothing else, ever."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return ALIAS if _is_reading.get() and model._meta.app_label in APPS else None

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool | None:
        mine = {DEFAULT_DB_ALIAS, ALIAS}
        return True if {one._state.db, other._state.db} <= mine else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == ALIAS else None


class State(NamedTuple):
    """What was seen last."""

    lag_seconds: float | None
    """How long ago the primary was where the replica is; None if it does not say."""
    is_further: bool = False
    """Whether it is further behind, it is not known how far: it is before all that was seen of the
    primary, as after the start of this process."""

    @property
    def is_used(self) -> bool:
        limit: float = settings.DATABASE_REPLICA_MAX_LAG_SECONDS
        return not self.is_further and self.lag_seconds is not None and self.lag_seconds <= limit

    def __str__(self) -> str:
        """Return what is wrong with it, or ""."""
        if self.is_used:
            return ""
        if self.lag_seconds is None:
            return "the replica does not answer: the primary is asked"
        more = "more than " if self.is_further else ""
        return f"the replica is {more}{self.lag_seconds:.0f} s behind: the primary is asked"


class Replica:
    """How far the replica is behind. Safe for threads.

    The ends of both write-ahead logs are compared, and remembered with the time: so an idle primary
    makes no lag, and no clock but that of this process counts.
    """

    def __init__(
        self, end: Callable[[str], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._end = end
        self._clock = clock
        self._lock = threading.Lock()
        self._ends: deque[tuple[float, float]] = deque(maxlen=MAX_LOOKS)
        """Of the primary: time and end of its log, in order."""
        self._reached: float | None = None
        self._next_look = float("-inf")

    def state(self) -> State:
        """Look, unless it was looked just now or another thread does, and return what is known."""
        if self._clock() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._next_look = self._clock() + LOOK_SECONDS
                self._lock.release()
        return self._known()

    def forget(self) -> None:
        """Do not use it until it has answered again."""
        self._reached = None

    def _look(self) -> None:
        now = self._clock()
        with suppress(Error):  # what is known of it grows old, and the replica is used for a while
            self._ends.append((now, self._end(DEFAULT_DB_ALIAS)))
        try:
            self._reached = self._end(ALIAS)
        except Error as error:
            if self._reached is not None:
                logger.warning("the replica does not answer: %s", error)
            self._reached = None

    def _known(self) -> State:
        """Return how long ago the primary was where the replica is now."""
        reached, ends = self._reached, list(self._ends)
        if reached is None or not ends:
            return State(None)
        now = self._clock()
        last_look, last_end = ends[-1]
        if reached >= last_end:  # more than 0 only while the primary is away
            return State(max(0.0, now - last_look - LOOK_SECONDS))
        if passed := [at for at, end in ends if end <= reached]:
            return State(now - passed[-1])
        return State(now - ends[0][0], is_further=True)


def end_of_log(alias: str) -> float:
    with connections[alias].cursor() as cursor:
        cursor.execute(END_OF_LOG)
        return float(cursor.fetchone()[0])


replica = Replica(end_of_log)


def is_configured() -> bool:
    return ALIAS in connections.settings


@contextmanager
def reading() -> Iterator[bool]:
    """Read from the replica inside, if there is one that is near enough; yield whether."""
    token = _is_reading.set(is_configured() and replica.state().is_used)
    try:
        yield _is_reading.get()
    finally:
        _is_reading.reset(token)

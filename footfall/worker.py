"""Wakes ingest and projections: at each tick of Celery beat, and by itself when no tick has come
for 3 seconds.

Each kind of projection has a thread of its own: one that waits for a lock keeps no event from being
stored, and rollups keep no counter waiting. A tick that is lost, doubled or late changes nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.db import Error, close_old_connections, connections, reset_queries

from footfall import sql
from footfall.common.ticks import TickLimit
from footfall.common.wakeup import SLICE, Wakeup
from footfall.conf import conf
from footfall.eventlog import LogError
from footfall.flush import Ingested, ingest, project
from footfall.ingest.quiet import Quiet
from footfall.log import get_log
from footfall.projections.rows import KINDS, TOTALS

logger = logging.getLogger(__name__)

QUEUE = "counters"
IDLE_SECONDS = 30.0
"""After so long without a wake-up, the thread of a projection ends; the next one starts it."""

_ingesting = threading.Lock()
_quiet = Quiet()
_failed = True
"""Whether a failure of ingest may be kept in Redis; at the start that of a process that ended."""
MAX_FAILURE = 500  # characters of it
_complaints: list[str] = []
"""What was said of Redis last."""
_ticks = TickLimit(0.2)
_looks = TickLimit(4.0)
"""For stuck transactions, which are found after 20 s and so ended within 30; and at Redis."""


def tick() -> None:
    """Wake ingest and projections for Celery beat."""
    FlushWakeup.last_tick = time.monotonic()
    if _ticks.allows():
        wake()


def wake() -> None:
    """Ingest in this thread, unless another thread of this process does; then project."""
    if _looks.allows():
        run_step("the search for stuck transactions", end_stuck)
        run_step("the question about evictions", check_redis)
    is_quiet = False
    if _ingesting.acquire(blocking=False):
        try:
            is_quiet = _quiet.look() and not _failed
            if not is_quiet:
                note_ingest(run_step("the ingest", ingest_for))
        finally:
            _ingesting.release()
    wake_projections(is_quiet=is_quiet)


def end_stuck(seconds: float) -> None:
    """End transactions of workers that are stopped: they hold what all others need."""
    for pid in sql.end_stuck():
        logger.warning("ended the transaction of a worker that is stopped: backend %s", pid)


def check_redis(seconds: float) -> None:
    """Log an error if Redis may evict the log, or does not answer WAIT where replicas must have
    each event: at the start, and whenever that changes.
    """
    global _complaints
    now, complaints = get_log().condition(), []
    if now.policy:
        complaints.append(
            "Redis may evict the log, and so lose views: its maxmemory-policy is"
            f" {now.policy}. Set it to noeviction."
        )
    if now.wait_refusal:
        complaints.append(
            "Redis refuses WAIT, so each view goes to the database, too: let its user run it, or"
            f" set COUNTERS_WAIT_REPLICAS to 0. {now.wait_refusal}"
        )
    for one in complaints:
        if one not in _complaints:
            logger.error("%s", one)
    _complaints = complaints


def ingest_for(seconds: float) -> int:
    """Store batch after batch while there is more, for about `seconds`; return how many."""
    end = time.monotonic() + seconds
    batches = 0
    _quiet.note(found_nothing=False)  # should it fail
    while True:
        ingested = ingest()
        batches += bool(ingested.segments)
        if not ingested.segments or not ingested.more or time.monotonic() > end:
            _quiet.note(_is_empty(ingested))
            return batches
        wake_projections()


def _is_empty(ingested: Ingested) -> bool:
    """Tell whether nothing at all was found, and no other process had a partition."""
    everything = ingested.finished_partitions.issuperset(range(conf.COUNTERS_PARTITIONS))
    return everything and not (ingested.segments or ingested.dropped or ingested.more)


def project_for(kind: str, seconds: float) -> bool:
    """Bring the projections of a kind forward while there is more, for about `seconds`.

    Return whether something is left, be it for lack of time or since its time has not come.
    """
    end = time.monotonic() + seconds
    projected = project(kinds=[kind])
    while projected.more and time.monotonic() < end:
        projected = project(kinds=[kind])
    return projected.is_behind


def run_step(name: str, step: Callable[[float], Any]) -> str:
    """Run a step; an error of whatever type becomes one line in the log, which is returned.

    The next try comes within a second.
    """
    try:
        reset_queries()  # with DEBUG, Django keeps them until the next request, and here is none
        step(SLICE)
    except Exception as error:
        told = f"{type(error.__cause__ or error).__name__}: {error}".strip()
        logger.error("%s failed: %s", name, told)
        return told
    return ""


def note_ingest(failure: str) -> None:
    """Let status, dashboard and `/readyz` know why nothing is stored, and when that is over."""
    global _failed
    if failure or _failed:
        with suppress(LogError, Error):  # it may not be known yet whose log it is
            get_log().note_failure(failure[:MAX_FAILURE])
            _failed = bool(failure)


class Background:
    """Brings the projections of one kind forward, in one thread of this process, when it is woken.

    A wake-up while it runs makes it run once more.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.is_behind = True
        """Whether it has something to do without new events."""
        self._woken = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def wake(self) -> None:
        self._woken.set()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # not alive: after a fork
                self._thread = threading.Thread(target=self._run, name=self._kind, daemon=True)
                self._thread.start()

    def stop(self, timeout: float) -> None:
        """Let the current step finish, for `timeout` seconds at most, and end the thread."""
        if thread := self._thread:
            self._stopping = True
            self._woken.set()
            thread.join(timeout)
            self._stopping = False

    def _run(self) -> None:
        while self._is_woken():
            close_old_connections()
            self.is_behind = True  # should it fail
            run_step(f"the projection {self._kind}", self._project)
        connections.close_all()

    def _project(self, seconds: float) -> None:
        self.is_behind = project_for(self._kind, seconds) or self._kind == TOTALS

    def _is_woken(self) -> bool:
        """Wait for a wake-up; return False, so that the thread ends, if none comes."""
        self._woken.wait(IDLE_SECONDS)
        with self._starting:
            if self._stopping or not self._woken.is_set():
                self._thread = None
                return False
            self._woken.clear()
            return True


_projecting = [Background(kind) for kind in KINDS]


def wake_projections(is_quiet: bool = False) -> None:
    """Wake them all; if no event has come, only those that are behind."""
    for one in _projecting:
        if one.is_behind or not is_quiet:
            one.wake()


def stop_projections(timeout: float) -> None:
    """Let what they do now finish, for `timeout` seconds at most each."""
    for one in _projecting:
        one.stop(timeout)


class FlushWakeup(Wakeup):
    queue = QUEUE
    thread_name = "flush-wakeup"

    def wake(self) -> None:
        wake()

    def stop(self, parent: Any) -> None:
        super().stop(parent)
        stop_projections(SLICE)

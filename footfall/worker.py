"""Wakes ingest and projections: at each tick of Celery beat, and by itself when no tick has come
for 3 seconds.

The projections have a thread of their own: one that waits for a lock keeps no event from being
stored. A tick that is lost, doubled or late changes nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections, connections, reset_queries

from footfall.common.wakeup import SLICE, Wakeup
from footfall.flush import ingest, project

logger = logging.getLogger(__name__)

QUEUE = "counters"
IDLE_SECONDS = 10.0
"""After so long without a wake-up, the thread of the projections ends; the next one starts it."""

_ingesting = threading.Lock()


def tick() -> None:
    """Wake both for Celery beat."""
    FlushWakeup.last_tick = time.monotonic()
    wake()


def wake() -> None:
    """Ingest in this thread, unless another thread of this process does; then project."""
    if _ingesting.acquire(blocking=False):
        try:
            run_step("the ingest", ingest_for)
        finally:
            _ingesting.release()
    projecting.wake()


def ingest_for(seconds: float) -> int:
    """Store batch after batch while there is more, for about `seconds`; return how many."""
    end = time.monotonic() + seconds
    batches = 0
    while True:
        ingested = ingest()
        batches += bool(ingested.segments)
        if not ingested.segments or not ingested.more or time.monotonic() > end:
            return batches
        projecting.wake()


def project_for(seconds: float) -> None:
    """Bring the projections forward while there is more, for about `seconds`."""
    end = time.monotonic() + seconds
    while project().more and time.monotonic() < end:
        pass


def run_step(name: str, step: Callable[[float], Any]) -> None:
    """Run a step; an error of whatever type becomes one line in the log.

    The next try comes within a second.
    """
    try:
        reset_queries()  # with DEBUG, Django keeps them until the next request, and here is none
        step(SLICE)
    except Exception as error:
        logger.error("%s failed: %s: %s", name, type(error).__name__, str(error).strip())


class Background:
    """Runs a step in one thread of this process whenever it is woken.

    A wake-up while it runs makes it run once more.
    """

    def __init__(self, name: str, step: Callable[[float], Any]) -> None:
        self._name = name
        self._step = step
        self._woken = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def wake(self) -> None:
        self._woken.set()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # not alive: after a fork
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
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
            run_step(self._name, self._step)
        connections.close_all()

    def _is_woken(self) -> bool:
        """Wait for a wake-up; return False, so that the thread ends, if none comes."""
        self._woken.wait(IDLE_SECONDS)
        with self._starting:
            if self._stopping or not self._woken.is_set():
                self._thread = None
                return False
            self._woken.clear()
            return True


projecting = Background("projections", project_for)


class FlushWakeup(Wakeup):
    queue = QUEUE
    thread_name = "flush-wakeup"

    def wake(self) -> None:
        wake()

    def stop(self, parent: Any) -> None:
        super().stop(parent)
        projecting.stop(SLICE)

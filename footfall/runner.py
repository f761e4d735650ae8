"""Everything that Celery's worker and beat do for the counting, in one process: `counters run`.

It may be killed anywhere, and several may run at once, beside workers, too: what they do is claimed
in the database.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone

from footfall.common.wakeup import INTERVAL, SLICE
from footfall.eventlog import LogError
from footfall.flush import Behind, flush_all
from footfall.log import get_log
from footfall.models import Audit
from footfall.ops.audit.run import run_audit
from footfall.schedule import BEAT_SCHEDULE
from footfall.tasks import FLUSH, JOBS
from footfall.worker import run_step, stop_projections, tick

POLL_SECONDS = 1.0
"""How often what is due is looked for."""

Step = Callable[[], object]


class Upkeep:
    """What is to be done beside the flush: at the start, then as often as beat would do it."""

    def __init__(self) -> None:
        self._due = {entry["task"]: 0.0 for entry in BEAT_SCHEDULE.values()}
        self._due.pop(FLUSH)
        self._every: dict[str, timedelta] = {
            entry["task"]: entry["schedule"] for entry in BEAT_SCHEDULE.values()
        }

    def run_due(self, now: float) -> list[str]:
        """Do what is due at `now`, of `time.monotonic()`; return what has failed, one line each."""
        failures = []
        for name, due in self._due.items():
            if due <= now:
                self._due[name] = now + self._every[name].total_seconds()
                failures.append(_run(name, JOBS[name]))
        failures.append(_run("the audits", run_requested_audits))
        return [failure for failure in failures if failure]


def run_requested_audits() -> None:
    """Carry out the audits that were requested in the admin and that nothing has begun."""
    waiting = Audit.objects.filter(started_at=None, finished_at=None)
    for audit in waiting.exclude(requested_by=None).order_by("pk"):
        claimed = Audit.objects.filter(pk=audit.pk, started_at=None)
        if claimed.update(started_at=timezone.now()):
            for _line in run_audit(audit):
                pass


def _run(name: str, step: Step) -> str:
    close_old_connections()
    failure = run_step(name, lambda seconds: step())
    return f"{name}: {failure}" if failure else ""


def run_once() -> tuple[int, list[str]]:
    """Flush, then do all the rest once; return how many events were counted, and what has failed.

    For cron.
    """
    events, failures = 0, []
    try:
        events = flush_all()
    except (Behind, DatabaseError, LogError) as error:
        failures.append(f"{FLUSH}: {error}")
    return events, failures + Upkeep().run_due(time.monotonic())


def run(stopping: threading.Event) -> None:
    """Flush every second and do the rest when it is due, until `stopping` is set.

    What it is doing then is finished, for a few seconds at most.
    """
    upkeep = threading.Thread(target=_keep_up, args=(stopping,), name="upkeep", daemon=True)
    upkeep.start()
    name = f"{socket.gethostname()}:{os.getpid()}"
    try:
        while not stopping.is_set():
            close_old_connections()
            _say_alive(name)
            tick()
            stopping.wait(INTERVAL)
    finally:
        stopping.set()
        stop_projections(SLICE)
        upkeep.join(SLICE)
        _say_alive("")
        connections.close_all()


def _say_alive(name: str) -> None:
    with suppress(LogError, DatabaseError):
        get_log().note_runner(name)


def _keep_up(stopping: threading.Event) -> None:
    upkeep = Upkeep()
    while not stopping.wait(POLL_SECONDS):
        upkeep.run_due(time.monotonic())
    connections.close_all()


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that the first SIGTERM or SIGINT sets; a second one ends the process."""
    stopping = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(*_: Any) -> None:
        stopping.set()
        restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        restore()

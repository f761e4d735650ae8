"""Which Celery workers answer, or `counters run`, and which queues they serve."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django.utils.translation import gettext as _

from footfall.common.celery import current_app
from footfall.eventlog import LogError
from footfall.log import get_log
from footfall.worker import QUEUE

if TYPE_CHECKING:
    from celery import Celery

REPLY_TIMEOUT = 1.0  # seconds that workers get to reply
REFRESH_AFTER = 3.0  # seconds after which the workers are asked again
EXPIRE_AFTER = 10.0  # seconds after which the last answer is not used any more

Queues = dict[str, list[str]]
"""The queues that each worker serves, by the worker's name."""


@dataclass(frozen=True)
class Workers:
    """The workers that answered."""

    queues: Queues = field(default_factory=dict)
    error: str = ""
    """Why they could not be asked."""
    runner: str = ""
    """The process of `counters run` that is there: then no worker is asked."""

    def serve(self, queue: str) -> bool:
        return any(queue in queues for queues in self.queues.values())


class WorkerInspector:
    """Asks the workers in a thread, since their replies take a second, and keeps the answer.

    A process asks once at a time, however many requests want to know.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workers")
        self._last = Workers()
        self._runner = ""
        self._answered_at = -EXPIRE_AFTER
        self._replies: Queues | None = None
        """The replies so far; None while no question is open."""

    def workers(self, serving: str = "", timeout: float = REPLY_TIMEOUT + 0.5) -> Workers:
        """Return the last answer; wait for one if it is older than `EXPIRE_AFTER`.

        serving: a queue; do not wait for other workers once one that serves it has replied.
        """
        with self._changed:
            if time.monotonic() - self._answered_at >= REFRESH_AFTER and self._replies is None:
                self._replies = {}
                self._executor.submit(self._ask, current_app())
            found = self._changed.wait_for(lambda: self._known(serving), timeout)
        return found or Workers(error=_("no answer yet"))

    def _known(self, serving: str) -> Workers | None:
        if time.monotonic() - self._answered_at < EXPIRE_AFTER:
            return self._last
        so_far = Workers(self._replies or {}, runner=self._runner)
        return so_far if so_far.serve(serving) else None

    def _ask(self, app: "Celery | None") -> None:
        error, self._runner = "", _runner()
        try:
            if self._runner:
                self._add({self._runner: [{"name": QUEUE}, {"name": default_queue()}]})
            elif app:
                _inspect(app, self._add)
        except Exception as reason:  # whichever kind the broker's client raises
            error = str(reason) or type(reason).__name__
        with self._changed:
            self._last = Workers({} if error else self._replies or {}, error, self._runner)
            self._answered_at, self._replies = time.monotonic(), None
            self._changed.notify_all()

    def _add(self, reply: dict[str, Any]) -> None:
        queues = {name: sorted(q["name"] for q in served) for name, served in reply.items()}
        with self._changed:
            self._replies = dict(sorted({**(self._replies or {}), **queues}.items()))
            self._changed.notify_all()


def default_queue() -> str:
    """Return the queue of the tasks other than the flush."""
    app = current_app()
    return app.conf.task_default_queue if app else "celery"


def _runner() -> str:
    """Return the name of the process of `counters run`; "" if there is none, or no Redis."""
    try:
        return get_log().runner()
    except (LogError, DatabaseError):
        return ""


def _inspect(app: "Celery", callback: Callable[[dict[str, Any]], None]) -> None:
    """Ask all workers for their queues; `callback` gets each reply."""
    app.control.inspect(timeout=REPLY_TIMEOUT, callback=callback).active_queues()


inspector = WorkerInspector()

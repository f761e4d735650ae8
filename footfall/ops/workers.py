"""Which workers answer? Asked beside the requests: an answer of all takes a second to wait for."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from celery import Celery
from celery.app import app_or_default
from django.utils.translation import gettext as _

WAIT = 1.0  # seconds in which workers answer; who does not is not there
FRESH = 3.0  # seconds for which nobody asks again
STALE = 10.0  # seconds after which an answer is no answer any more


@dataclass(frozen=True)
class Workers:
    """The queues of every worker that answered, by its name."""

    queues: dict[str, list[str]] = field(default_factory=dict)
    error: str = ""
    """Why they could not be asked."""

    def serve(self, queue: str) -> bool:
        return any(queue in queues for queues in self.queues.values())


class Asking:
    """The last answer, and the question that is under way: one at a time in a process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workers")
        self._answered = -STALE
        self._asked: Future[Workers] | None = None
        self._last = Workers()

    def answer(self, patience: float = WAIT + 0.5) -> Workers:
        """Return who answered within the last seconds; wait only if there is no such answer."""
        with self._lock:
            age = time.monotonic() - self._answered
            if age >= FRESH and self._asked is None:
                self._asked = self._thread.submit(self._ask, app_or_default())
            asked = self._asked
            last = self._last
        if age < STALE or asked is None:
            return last
        try:
            return asked.result(patience)
        except TimeoutError:
            return Workers(error=_("no answer yet"))

    def _ask(self, app: Celery) -> Workers:
        workers = _inspect(app)
        with self._lock:
            self._last, self._answered, self._asked = workers, time.monotonic(), None
        return workers


def _inspect(app: Celery) -> Workers:
    try:
        answers = app.control.inspect(timeout=WAIT).active_queues() or {}
    except Exception as error:  # the broker's, of whichever kind the broker is
        return Workers(error=str(error) or type(error).__name__)
    names = sorted(answers)
    return Workers({name: sorted(q["name"] for q in answers[name]) for name in names})


asking = Asking()

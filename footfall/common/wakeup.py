"""Wakes what a worker does beside its tasks, when no tick of Celery beat has come for 3 seconds.

So the work goes on while beat or the broker is away.
"""

import threading
import time
from typing import Any, ClassVar

from django.db import close_old_connections, connections

from footfall.common.celery import WorkerStep

TICK_TIMEOUT = 3.0  # seconds without a tick, after which a worker wakes itself
INTERVAL = 1.0  # seconds between the wake-ups after that
SLICE = 5.0  # seconds for which a backlog is drained before the next tick has its turn


class Wakeup(WorkerStep):  # type: ignore[misc]  # of Celery's class, if it is installed
    """A thread beside the consumer of each worker that serves the queue `queue`.

    A subclass implements `wake`, and sets `last_tick` (of `time.monotonic`) at each tick.
    """

    queue: ClassVar[str]
    thread_name: ClassVar[str]
    last_tick: ClassVar[float] = float("-inf")  # a worker that starts is woken at once

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.thread_name, daemon=True)

    def wake(self) -> None:
        raise NotImplementedError

    def include_if(self, worker: Any) -> bool:
        return self.queue in worker.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        self._thread.start()

    def stop(self, parent: Any) -> None:
        """Let the current `wake` finish, for a few seconds. A kill after that loses nothing."""
        self._stopped.set()
        self._thread.join(timeout=SLICE)

    def terminate(self, parent: Any) -> None:
        self.stop(parent)

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            if time.monotonic() - self.last_tick > TICK_TIMEOUT:
                close_old_connections()
                self.wake()
        connections.close_all()

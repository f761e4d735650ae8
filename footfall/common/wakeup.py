"""Wakes what a worker does beside its tasks: by itself, when no tick of Celery beat came for 3 s.

So nothing waits for ever while the broker is away, or beat.
"""

import threading
import time
from typing import Any, ClassVar

from celery import bootsteps
from django.db import close_old_connections, connections

PATIENCE = 3.0  # seconds without a tick, after which a worker wakes itself
INTERVAL = 1.0  # seconds between its own wake-ups then
SLICE = 5.0  # seconds that a backlog is drained before the next tick gets its turn


class Wakeup(bootsteps.StartStopStep):
    """Runs in a worker that serves the queue `queue`, beside its consumer.

    A subclass says in `wake` what is done when no tick came, and notes each tick in `last_tick`.
    """

    queue: ClassVar[str]
    thread_name: ClassVar[str]
    last_tick: ClassVar[float] = float("-inf")  # none yet: a worker that starts is woken at once

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
        """Let what runs finish, a few seconds at most: being killed loses nothing."""
        self._stopped.set()
        self._thread.join(timeout=SLICE)

    def terminate(self, parent: Any) -> None:
        self.stop(parent)

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            if time.monotonic() - self.last_tick > PATIENCE:
                close_old_connections()
                self.wake()
        connections.close_all()

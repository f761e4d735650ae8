"""Has a worker load the processors at its start, and say how isolated they are."""

from contextlib import suppress
from threading import Thread
from typing import Any

from celery import bootsteps

from uploads.processing import sandbox
from uploads.queue.outbox import QUEUE


class LoadProcessors(bootsteps.StartStopStep):
    """Only of workers that serve the queue of uploads. They do not wait for it."""

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self.thread = Thread(target=self._load, name="load-processors", daemon=True)

    def include_if(self, worker: Any) -> bool:
        return QUEUE in worker.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        self.thread.start()

    def _load(self) -> None:
        with suppress(sandbox.Interrupted):  # it is logged; the first file tries again
            sandbox.start()

"""Has a worker load the processors at its start, and say how isolated they are."""

from contextlib import suppress
from typing import Any

from celery import bootsteps

from uploads.processing import sandbox
from uploads.queue.outbox import QUEUE


class LoadProcessors(bootsteps.StartStopStep):
    """Only of workers that serve the queue of uploads."""

    def include_if(self, worker: Any) -> bool:
        return QUEUE in worker.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        with suppress(sandbox.Interrupted):  # it is logged; the first file tries again
            sandbox.start()

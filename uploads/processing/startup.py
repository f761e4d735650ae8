"""Has a worker say at its start how isolated the processing of its files is."""

from contextlib import suppress
from threading import Thread
from typing import Any

from celery import bootsteps

from uploads.processing import sandbox
from uploads.queue.outbox import QUEUE


class ReportIsolation(bootsteps.StartStopStep):
    """Only of workers that serve the queue of uploads. They do not wait for it."""

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self.thread = Thread(target=self._report, name="report-isolation", daemon=True)

    def include_if(self, worker: Any) -> bool:
        return QUEUE in worker.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        self.thread.start()

    def _report(self) -> None:
        with suppress(sandbox.Interrupted):  # it is logged; the first file tries again
            sandbox.start()

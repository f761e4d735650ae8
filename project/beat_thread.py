"""Celery beat in a thread of a worker, for a small machine: `celery worker --with-beat`.

Celery's own `--beat` starts a process for it.
"""

import logging
import threading
from typing import Any

from celery import bootsteps
from celery.beat import Service
from click import Option
from django.db import connections

logger = logging.getLogger(__name__)

OPTION = Option(("--with-beat",), is_flag=True, help="Run beat in a thread of this worker.")
PAUSE = 2.0  # seconds until beat is started again after an error


class BeatThread(bootsteps.StartStopStep):
    """Runs beat beside the consumer of a worker, and again after an error."""

    def __init__(self, worker: Any, with_beat: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        self._app = worker.app
        self._is_wanted = with_beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)
        self._service: Service | None = None

    def include_if(self, worker: Any) -> bool:
        return self._is_wanted

    def start(self, parent: Any) -> None:
        self._thread.start()

    def stop(self, parent: Any) -> None:
        """Let the current tick end. A kill after that loses nothing."""
        self._stopped.set()
        if service := self._service:
            service.stop()
        self._thread.join(timeout=PAUSE)

    def terminate(self, parent: Any) -> None:
        self.stop(parent)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._service = Service(self._app, scheduler_cls=self._app.conf.beat_scheduler)
            try:
                self._service.start()
            except Exception as error:
                logger.error("beat failed: %s: %s", type(error).__name__, str(error).strip())
            self._stopped.wait(PAUSE)
        connections.close_all()

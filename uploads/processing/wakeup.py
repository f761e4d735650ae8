"""Wakes the processing of files: at a tick of Celery beat or a nudge, and by itself without."""

import logging
import threading
import time
from typing import Any

from celery.signals import worker_shutting_down
from django.db import reset_queries

from footfall.common.wakeup import Wakeup
from uploads.processing.heartbeat import check_connection
from uploads.processing.sweep import sweep
from uploads.processing.worker import work
from uploads.queue.outbox import QUEUE, publish_due

logger = logging.getLogger(__name__)

SLICE = 5.0  # seconds for which a backlog is worked off before the next tick gets its turn

_awake: set[int] = set()  # the threads of this process that are at it
_stopping = threading.Event()


def tick() -> None:
    """Wake up, as Celery does. Several threads of a process may be awake at once."""
    UploadsWakeup.last_tick = time.monotonic()
    wake()


def wake() -> None:
    """Publish what is due, then process file after file while there is one.

    An error is one line in the log: whatever it is, the next try comes in a second.
    """
    _awake.add(threading.get_ident())
    try:
        reset_queries()  # with DEBUG, Django keeps them until a request comes: here none does
        sweep()
        publish_due()
        drain(SLICE)
    except Exception as error:
        logger.error("the processing failed: %s: %s", type(error).__name__, str(error).strip())
    finally:
        _awake.discard(threading.get_ident())


def drain(seconds: float) -> int:
    """Process files for about `seconds`, the last one to its end; return how many entries."""
    end = time.monotonic() + seconds
    entries = 0
    while not _stopping.is_set() and work():
        entries += 1
        if time.monotonic() > end:
            break
        check_connection()
    return entries


class UploadsWakeup(Wakeup):
    queue = QUEUE
    thread_name = "uploads-wakeup"

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._threads = getattr(worker, "concurrency", 1)

    def wake(self) -> None:
        if len(_awake) < self._threads:  # else no tick came because there was no thread for it
            wake()


@worker_shutting_down.connect(dispatch_uid="uploads.processing.wakeup")
def stop(**kwargs: Any) -> None:
    """Let each thread finish the file that it is at, and take no other."""
    _stopping.set()

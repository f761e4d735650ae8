"""Wakes the processing: at a tick of Celery beat, after an upload, and by itself without them."""

import logging
import threading
import time
from typing import Any

from celery.signals import worker_shutting_down
from django.db import reset_queries

from footfall.common.wakeup import SLICE, Wakeup
from uploads.processing.abandoned import release_abandoned
from uploads.processing.heartbeat import check_connection
from uploads.processing.turns import AT_ONCE
from uploads.processing.worker import process_next
from uploads.queue.outbox import QUEUE

logger = logging.getLogger(__name__)

_awake: set[int] = set()  # threads of this process that are in `wake`
_stopping = threading.Event()


def tick() -> None:
    """Wake up, as a Celery task does, unless enough threads of this process are awake."""
    UploadsWakeup.last_tick = time.monotonic()
    if len(_awake) < AT_ONCE:
        wake()


def wake() -> None:
    """Release what died with its worker, then process files for about `SLICE` seconds.

    An error is only logged: whatever it is, the next try comes in a second.
    """
    _awake.add(threading.get_ident())
    try:
        reset_queries()  # with DEBUG, Django would collect them until the next request
        release_abandoned()
        drain(SLICE)
    except Exception as error:
        logger.error("the processing failed: %s: %s", type(error).__name__, str(error).strip())
    finally:
        _awake.discard(threading.get_ident())


def drain(seconds: float) -> int:
    """Process files for about `seconds`; return how often there was something to do."""
    end = time.monotonic() + seconds
    entries = 0
    while not _stopping.is_set() and process_next():
        entries += 1
        if time.monotonic() > end:
            break
        check_connection()
    return entries


class UploadsWakeup(Wakeup):
    queue = QUEUE
    thread_name = "uploads-wakeup"

    def wake(self) -> None:
        if len(_awake) < AT_ONCE:  # otherwise ticks are late because all threads are busy
            wake()


@worker_shutting_down.connect(dispatch_uid="uploads.wakeup")
def stop(**kwargs: Any) -> None:
    """Let each thread finish its current file and start no other."""
    _stopping.set()

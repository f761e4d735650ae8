"""Wakes the flush: at each tick of Celery beat, and by itself when no tick has come for 3 seconds.

A tick that is lost, doubled or late changes nothing.
"""

import logging
import threading
import time

from django.db import reset_queries

from footfall.common.wakeup import SLICE, Wakeup
from footfall.flush import flush_for

logger = logging.getLogger(__name__)

QUEUE = "counters"

_flushing = threading.Lock()


def tick() -> None:
    """Wake the flush for Celery beat."""
    FlushWakeup.last_tick = time.monotonic()
    wake()


def wake() -> None:
    """Flush in this thread, unless another thread of this process is flushing.

    An error becomes one line in the log, of whatever type: the next try comes within a second.
    """
    if not _flushing.acquire(blocking=False):
        return
    try:
        reset_queries()  # with DEBUG, Django keeps them until the next request, and here is none
        flush_for(SLICE)
    except Exception as error:
        logger.error("the flush failed: %s: %s", type(error).__name__, str(error).strip())
    finally:
        _flushing.release()


class FlushWakeup(Wakeup):
    queue = QUEUE
    thread_name = "flush-wakeup"

    def wake(self) -> None:
        wake()

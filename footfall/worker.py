"""Wakes the flush: at a tick of Celery beat, and by itself when no tick came for a while.

A tick that is lost, doubled or late changes nothing, and while the broker is away, or beat, the
views are still flushed.
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
    """Wake the flush, as Celery beat does."""
    FlushWakeup.last_tick = time.monotonic()
    wake()


def wake() -> None:
    """Flush in this thread, unless another thread of this process does.

    An error is one line in the log: whatever it is, the next try comes in a second.
    """
    if not _flushing.acquire(blocking=False):
        return
    try:
        reset_queries()  # with DEBUG, Django keeps them until a request comes: here none does
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

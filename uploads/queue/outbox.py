"""Says that a file waits: an entry in the queue, and a task that wakes a worker.

Both are hints. Workers look at the rows at every tick, so one that is lost costs a second, and one
too many costs a look.
"""

import logging
import time
from functools import partial

from celery import signature
from django.db import transaction

from footfall.common.celery import enqueue_in_background
from footfall.common.failpoints import failpoint
from footfall.eventlog import LogError
from uploads.models import File
from uploads.queue import get_queue
from uploads.queue.events import encode

logger = logging.getLogger(__name__)

QUEUE = "uploads"
"""The Celery queue of the workers that process files."""
TASK = "uploads.process"


def publish_on_commit(file: File) -> None:
    """Publish the event and wake a worker once the transaction has committed. Never fails."""
    transaction.on_commit(partial(publish_now, file))


def publish_now(file: File) -> None:
    try:
        publish(file)
    except LogError as error:
        logger.warning("file %s has no entry in the queue: %s", file.pk, error)
    wake_worker()


def publish(file: File) -> None:
    """Append the event. Raises LogError."""
    failpoint("upload_committed")
    get_queue().append(encode(file.pk), time.time_ns() // 1_000_000)
    failpoint("upload_appended")


def wake_worker() -> None:
    """Wake a worker before the next tick of Celery beat, without waiting for the broker."""
    task = signature(TASK)  # by name: its module imports this one
    enqueue_in_background(task, queue=QUEUE, ignore_result=True)

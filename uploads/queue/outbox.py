"""Publishing the events of files. The row of a file is its own outbox: see `due_at`.

A crash within `publish` can publish an event twice. That does no harm: a worker claims the file by
compare-and-set, so the second event finds it claimed or processed.
"""

import logging
import time
from functools import partial

from celery import signature
from django.db import DatabaseError, transaction
from django.utils import timezone

from footfall.common.celery import enqueue_in_background
from footfall.common.failpoints import failpoint
from footfall.common.outbox import send_due
from footfall.eventlog import LogError
from uploads.models import File, Status
from uploads.queue import get_queue
from uploads.queue.events import encode

logger = logging.getLogger(__name__)

QUEUE = "uploads"
"""The Celery queue of the workers that process files."""
TASK = "uploads.process"


def publish_on_commit(file: File) -> None:
    """Publish the event and wake a worker once the transaction has committed.

    Never fails: while Redis is away the file stays due, and a worker publishes it later.
    """
    transaction.on_commit(partial(publish_now, file))


def publish_now(file: File) -> None:
    try:
        publish(file)
    except (LogError, DatabaseError) as error:
        logger.warning("file %s will be published later: %s", file.pk, error)
    else:
        wake_worker()


def publish(file: File) -> None:
    """Append the event, then note it in the row, unless the row has changed. Raises LogError."""
    failpoint("upload_committed")
    entry_id = get_queue().append(encode(file.pk), time.time_ns() // 1_000_000)
    failpoint("upload_appended")
    unchanged = File.objects.filter(pk=file.pk, status=Status.RECEIVED, due_at=file.due_at)
    unchanged.update(due_at=None, entry_id=entry_id)
    failpoint("upload_published")


def publish_due() -> int:
    """Publish the files that are due, the earliest first; return how many. Stops at a LogError."""
    due = File.objects.filter(status=Status.RECEIVED, due_at__lte=timezone.now())
    return send_due(due.order_by("due_at"), _publish_locked)


@transaction.atomic
def _publish_locked(pk: int) -> bool:
    """Publish a file, unless another process does; return False if Redis is away.

    A worker that reads the event at once waits for the lock, so it sees the row as published.
    """
    free = File.objects.select_for_update(skip_locked=True)
    file = free.filter(pk=pk, status=Status.RECEIVED, due_at__lte=timezone.now()).first()
    try:
        if file:
            publish(file)
    except LogError as error:
        logger.warning("files stay due: %s", error)
        return False
    return True


def wake_worker() -> None:
    """Wake a worker before the next tick of Celery beat, without waiting for the broker."""
    task = signature(TASK)  # by name: its module imports this one
    enqueue_in_background(task, queue=QUEUE, ignore_result=True)

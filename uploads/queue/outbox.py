"""Publishing: the row of a file is its own outbox. While it is due, its event is yet to be sent.

A crash between the two steps of `publish` sends the event twice, which does no harm: a file is
claimed by compare-and-set, so the second one finds it taken or done.
"""

import logging
import threading
import time
from functools import partial

from celery import current_app
from django.db import DatabaseError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from footfall.common.breaker import CircuitBreaker
from footfall.common.failpoints import failpoint
from footfall.eventlog import LogError
from uploads.models import File, Status
from uploads.queue import get_queue
from uploads.queue.events import encode

logger = logging.getLogger(__name__)

QUEUE = "uploads"
"""Celery's, of the workers that process files."""
TASK = "uploads.process"
AT_ONCE = 100  # rows that are locked while they are published

_broker = CircuitBreaker(reset_after=5.0)
_nudging = threading.Lock()


def publish_on_commit(file: File) -> None:
    """Have the event of a new file sent, and a worker nudged, once its row is committed.

    Never fails: while Redis is away the file stays due, and a worker's sweep publishes it later.
    """
    transaction.on_commit(partial(publish_at_once, file))


def publish_at_once(file: File) -> None:
    """Publish, if Redis and the database let us; what they do not is left to the sweep."""
    try:
        publish(file)
    except (LogError, DatabaseError) as error:
        logger.warning("file %s is published later: %s", file.pk, error)
    else:
        nudge()


def publish(file: File) -> None:
    """Append the event, then note it in the row, unless that has changed. Raises LogError."""
    failpoint("upload_committed")
    entry_id = get_queue().append(encode(file.pk), time.time_ns() // 1_000_000)
    failpoint("upload_appended")
    unchanged = File.objects.filter(pk=file.pk, status=Status.RECEIVED, due_at=file.due_at)
    unchanged.update(due_at=None, entry_id=entry_id)
    failpoint("upload_published")


def publish_due() -> int:
    """Publish the files that are due, the earliest first; return how many. Raises LogError."""
    published = 0
    while True:
        with transaction.atomic():
            free = File.objects.select_for_update(skip_locked=True)
            due = free.filter(status=Status.RECEIVED, due_at__lte=timezone.now())
            files = list(due.order_by("due_at")[:AT_ONCE])
            for file in files:
                try:
                    publish(file)
                except LogError as error:
                    logger.warning("files stay due: %s", error)
                    return published
                published += 1
        if len(files) < AT_ONCE:
            return published


def nudge() -> None:
    """Wake a worker, for it not to wait for the next tick. The caller does not wait for the broker.

    One that is away takes seconds to say so, and is not asked again for 5 s.
    """
    if not _nudging.acquire(blocking=False):
        return  # the worker that the other one wakes looks for files until there are none
    if _broker.allows():
        threading.Thread(target=_send_nudge, name="nudge", daemon=True).start()
    else:
        _nudging.release()


def _send_nudge() -> None:
    try:
        # One that has waited is of no use: there were ticks.
        current_app.send_task(TASK, queue=QUEUE, expires=2, retry=False, ignore_result=True)
        _broker.succeeded()
    except (OperationalError, OSError) as error:
        _broker.failed()
        logger.warning("no worker was nudged: %s", error)
    finally:
        _nudging.release()

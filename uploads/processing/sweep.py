"""Finds files whose entry the queue has lost: Redis may lose its data.

A file whose entry is still in the queue is left alone, however long it waits.
"""

import logging
import threading
import time
from collections.abc import Iterable

from django.utils import timezone

from uploads.models import File, Status
from uploads.processing import claims
from uploads.processing.worker import abandon
from uploads.queue import get_queue
from uploads.queue.events import encode
from uploads.queue.redis_queue import Delivery

logger = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds between two sweeps of a process
BATCH = 1_000  # files that are checked at a time, the oldest first, as Redis loses them

_sweeping = threading.Lock()
_last_sweep = float("-inf")


def sweep() -> None:
    """Sweep if `INTERVAL` has passed since the last time. Raises LogError."""
    global _last_sweep
    if not _sweeping.acquire(blocking=False):
        return
    try:
        if time.monotonic() - _last_sweep > INTERVAL:
            _last_sweep = time.monotonic()
            requeue_lost()
            retry_abandoned()
    finally:
        _sweeping.release()


def requeue_lost() -> int:
    """Make received files due again whose entry the queue has lost; return how many."""
    lost = 0
    while True:
        waiting = File.objects.filter(status=Status.RECEIVED, due_at=None)
        entries = dict(waiting.order_by("pk").values_list("pk", "entry_id")[:BATCH])
        gone = missing(entries.values())
        pks = [pk for pk, entry_id in entries.items() if entry_id in gone]
        # A file that was claimed or published meanwhile does not match any more.
        found = waiting.filter(pk__in=pks, entry_id__in=gone).update(due_at=timezone.now())
        lost += found
        if not found or len(entries) < BATCH:
            break
    if lost:
        logger.warning("the queue has lost %s files: they are published again", lost)
    return lost


def retry_abandoned() -> int:
    """Fail the attempts of dead workers whose entry the queue has lost; return how many.

    If the entry is still in the queue, another worker claims it instead.
    """
    abandoned = list(File.objects.filter(claims.is_abandoned()).order_by("claimed_at")[:BATCH])
    gone = missing(file.entry_id for file in abandoned)
    files = [file for file in abandoned if file.entry_id in gone]
    for file in files:
        if reason := abandon(file):
            now = time.time_ns() // 1_000_000
            get_queue().move_to_dead_letters(Delivery("", now, encode(file.pk)), reason)
    return len(files)


def missing(entry_ids: Iterable[str]) -> set[str]:
    """Return which of the entries are not in the queue; "" never is."""
    ids = set(entry_ids)
    return ids - get_queue().existing([entry_id for entry_id in ids if entry_id])

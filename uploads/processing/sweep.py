"""Finds the files that no entry in the queue speaks of any more: Redis may lose its data.

A file whose entry waits in the queue is never touched, however long it waits.
"""

import logging
import threading
import time
from collections.abc import Iterable

from django.db.models import F
from django.utils import timezone

from uploads.models import File, Status
from uploads.processing import claims
from uploads.processing.worker import abandon
from uploads.queue import get_queue
from uploads.queue.events import encode
from uploads.queue.redis_queue import Delivery

logger = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds between two sweeps of a process
AT_ONCE = 1_000  # the oldest, which come first in the queue: it has no gaps that last

_sweeping = threading.Lock()
_last = float("-inf")


def sweep() -> None:
    """Sweep if that is due in this process. Raises LogError."""
    global _last
    if not _sweeping.acquire(blocking=False):
        return
    try:
        if time.monotonic() - _last > INTERVAL:
            _last = time.monotonic()
            publish_lost()
            retry_abandoned()
    finally:
        _sweeping.release()


def publish_lost() -> int:
    """Make the files due again whose entry has left the queue unprocessed; return how many."""
    lost = 0
    while True:
        waiting = File.objects.filter(status=Status.RECEIVED, due_at=None)
        entries = dict(waiting.order_by("pk").values_list("pk", "entry_id")[:AT_ONCE])
        gone = missing(entries.values())
        pks = [pk for pk, entry_id in entries.items() if entry_id in gone]
        # Who was claimed or published meanwhile has another status, another time or another entry.
        found = waiting.filter(pk__in=pks, entry_id__in=gone).update(due_at=timezone.now())
        lost += found
        if not found or len(entries) < AT_ONCE:
            break
    if lost:
        logger.warning("the queue has lost %s files: they are published again", lost)
    return lost


def retry_abandoned() -> int:
    """Count the attempts of dead workers as failed ones where the entry is gone, too.

    Where it is not, a worker takes it over.
    """
    abandoned = list(File.objects.filter(claims.is_abandoned()).order_by(F("claimed_at"))[:AT_ONCE])
    gone = missing(file.entry_id for file in abandoned)
    files = [file for file in abandoned if file.entry_id in gone]
    for file in files:
        if reason := abandon(file):
            now = time.time_ns() // 1_000_000
            get_queue().bury(Delivery("", now, encode(file.pk)), reason)
    return len(files)


def missing(entries: Iterable[str]) -> set[str]:
    """Return which of the entries are not in the queue; "" is in none."""
    ids = set(entries)
    return ids - get_queue().present([entry_id for entry_id in ids if entry_id])

"""Removes old rows from the tables of the counting. The events in the store are kept for good."""

import logging
import time
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from footfall.eventlog import LogError
from footfall.log import get_log
from footfall.models import Audit, DeadLetter, Partition, ProducerState

logger = logging.getLogger(__name__)

KEEP_AUDITS = timedelta(days=90)
KEEP_PRODUCER_STATES = timedelta(days=7)
KEEP_DEAD_LETTERS = timedelta(days=365)
CLOCK_MARGIN = timedelta(days=1)  # between the clocks of the producers and of the database


def prune() -> None:
    """Remove old rows; of the producer states only those older than every event in the log."""
    now = timezone.now()
    Audit.objects.filter(requested_at__lt=now - KEEP_AUDITS).delete()
    removed, _ = DeadLetter.objects.filter(created_at__lt=now - KEEP_DEAD_LETTERS).delete()
    if removed:
        logger.warning("removed %d old dead letters that were not replayed", removed)
    try:
        oldest = min(now - KEEP_PRODUCER_STATES, oldest_entry() - CLOCK_MARGIN)
    except LogError as error:
        logger.warning("no producer states were pruned: %s", error)
        return
    remove_producer_states(oldest)


def remove_producer_states(before: datetime) -> None:
    """Remove the producer states that are older.

    Each partition first notes from when on they are kept: a log may be restored from a backup.
    """
    with transaction.atomic():
        list(Partition.objects.select_for_update().order_by("number"))
        earlier = Q(states_since=None) | Q(states_since__lt=before)
        Partition.objects.filter(earlier).update(states_since=before)
    ProducerState.objects.filter(updated_at__lt=before).delete()


def oldest_entry() -> datetime:
    """Return when the oldest event that is still in the log happened; now if the log is empty.

    A quiet partition keeps entries for weeks. They are read again if its position is lost, so their
    producer states are still needed. Of the clocks of producer and Redis the earlier one counts.
    """
    log = get_log()
    oldest = time.time() * 1000
    for number in Partition.objects.values_list("number", flat=True):
        for entry in log.read(number, None, count=1, max_bytes=1).entries:
            oldest = min(oldest, max(entry.at, 0), entry.appended_at)
    return datetime.fromtimestamp(oldest / 1000, UTC)

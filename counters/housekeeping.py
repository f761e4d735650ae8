"""Keeps the tables of the counting bounded."""

import logging
import time
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from counters.figures import Audit
from counters.log import get_log
from counters.models import Batch, Mark, Partition
from eventlog import LogError

logger = logging.getLogger(__name__)

KEEP_BATCHES = timedelta(days=7)
KEEP_AUDITS = timedelta(days=90)
KEEP_MARKS = timedelta(days=7)
MARGIN = timedelta(days=1)  # between the clocks of the writers and the database's


def prune() -> None:
    """Remove what is old enough; of the marks only those older than anything in the log."""
    now = timezone.now()
    Batch.objects.filter(at__lt=now - KEEP_BATCHES).delete()
    Audit.objects.filter(asked_at__lt=now - KEEP_AUDITS).delete()
    try:
        oldest = min(now - KEEP_MARKS, oldest_entry() - MARGIN)
    except LogError as error:
        logger.warning("no marks were pruned: %s", error)
        return
    Mark.objects.filter(updated_at__lt=oldest).delete()


def oldest_entry() -> datetime:
    """Return when the first event that is still in the log happened; now, if it is empty.

    A quiet partition keeps entries for weeks, and a mark says of each that it was counted: if the
    position is lost, they are read again.
    """
    log = get_log()
    oldest = time.time() * 1000
    for number in Partition.objects.values_list("number", flat=True):
        at = log.oldest(number, None)
        if at is not None:
            oldest = min(oldest, max(at, 0))
    return datetime.fromtimestamp(oldest / 1000, UTC)

"""Keeps the tables of the counting bounded."""

import logging
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from footfall.eventlog import LogError
from footfall.log import get_log
from footfall.models import Audit, Batch, DeadLetter, Partition, ProducerState

logger = logging.getLogger(__name__)

AT_ONCE = 2_000  # rows removed in one transaction
KEEP_BATCHES = timedelta(days=7)
KEEP_AUDITS = timedelta(days=90)
KEEP_PRODUCER_STATES = timedelta(days=7)
KEEP_DEAD_LETTERS = timedelta(days=365)  # for which somebody may decide
MARGIN = timedelta(days=1)  # between the clocks of the writers and the database's


def prune() -> None:
    """Remove what is old enough; of the marks only those older than anything in the log."""
    now = timezone.now()
    while prune_batches(now - KEEP_BATCHES):
        pass
    Audit.objects.filter(asked_at__lt=now - KEEP_AUDITS).delete()
    dismiss(now - KEEP_DEAD_LETTERS)
    try:
        oldest = min(now - KEEP_PRODUCER_STATES, oldest_entry() - MARGIN)
    except LogError as error:
        logger.warning("no marks were pruned: %s", error)
        return
    remove_producer_states(oldest)


def prune_batches(before: datetime) -> int:
    """Remove some batches from before then; return how many.

    What they have taken stays in the books of the partitions: see `invariants.broken_batches`.
    """
    with transaction.atomic():
        # In the order in which a flush locks them, which passes by meanwhile.
        list(Partition.objects.select_for_update().order_by("number"))
        old = dict(Batch.objects.filter(at__lt=before).values_list("pk", "partitions")[:AT_ONCE])
        taken: Counter[str] = Counter()
        for partitions in old.values():
            taken.update(partitions)
        for number, events in taken.items():
            Partition.objects.filter(number=number).update(pruned=F("pruned") + events)
        return Batch.objects.filter(pk__in=old).delete()[0]


def remove_producer_states(before: datetime) -> None:
    """Remove the marks from before then.

    That they are not known is noted first: a log may come back from that time, out of a backup.
    """
    with transaction.atomic():
        list(Partition.objects.select_for_update().order_by("number"))
        earlier = Q(states_since=None) | Q(states_since__lt=before)
        Partition.objects.filter(earlier).update(states_since=before)
    ProducerState.objects.filter(updated_at__lt=before).delete()


def dismiss(before: datetime) -> None:
    """Remove events that nobody has decided about for long enough."""
    dismissed, _ = DeadLetter.objects.filter(created_at__lt=before).delete()
    if dismissed:
        logger.warning("%d events that were set aside are dismissed for good", dismissed)


def oldest_entry() -> datetime:
    """Return when the first event that is still in the log happened; now, if it is empty.

    By the clock of its writer or of Redis, whichever is behind.

    A quiet partition keeps entries for weeks, and a mark says of each that it was counted: if the
    position is lost, they are read again.
    """
    log = get_log()
    oldest = time.time() * 1000
    for number in Partition.objects.values_list("number", flat=True):
        for entry in log.read(number, None, count=1, max_bytes=1).entries:
            oldest = min(oldest, max(entry.at, 0), entry.appended_at)
    return datetime.fromtimestamp(oldest / 1000, UTC)

"""Removes old rows from the tables of the counting. Events leave the store in `store/retain.py`.

Everything goes by epochs (see `footfall.identity`): a clock that jumps removes nothing.
"""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from footfall.common.chunks import chunks
from footfall.eventlog import LogError
from footfall.eventlog.entries import Entry, day_of
from footfall.events.keys import is_key, split_key
from footfall.identity import HOUR, HOURS_PER_DAY, Moment, advance_epoch, moment
from footfall.log import get_log
from footfall.models import Audit, ClientKey, DeadLetter, Partition, ProducerState, Spilled
from footfall.viewers.salts import keep_salts

logger = logging.getLogger(__name__)

KEEP_AUDITS = timedelta(days=90)
KEEP_PRODUCER_STATES = timedelta(days=7)
KEEP_DEAD_LETTERS = timedelta(days=365)
MARGIN = 2 * HOURS_PER_DAY
"""In epochs. A producer lives a day, and its process may be ahead of the database by one."""
KEYS_PER_STATEMENT = 5_000


def prune() -> None:
    """Remove old rows; of the producer states only those older than every event in the log.

    It makes the salts of today and tomorrow, too.
    """
    advance_epoch()
    keep_salts()
    now = moment()
    remove_old(Audit, now.epoch - epochs(KEEP_AUDITS))
    if removed := remove_old(DeadLetter, now.epoch - epochs(KEEP_DEAD_LETTERS)):
        logger.warning("removed %d old dead letters", removed)
    try:
        before = min(now.epoch - epochs(KEEP_PRODUCER_STATES), epoch_of_log(now))
        is_behind = has_old_events()
    except LogError as error:
        logger.warning("no producer states and no keys were pruned: %s", error)
        return
    remove_producer_states(before, now)
    if not is_behind:
        remove_keys(now)


def epochs(time: timedelta) -> int:
    return time // HOUR


def remove_old(model: type[Audit | DeadLetter], before: int) -> int:
    """Remove the rows that were first seen here before this epoch; return how many."""
    rows: models.QuerySet[Audit | DeadLetter] = model._default_manager.all()
    rows.filter(epoch=None).update(epoch=moment().epoch)
    removed, _ = rows.filter(epoch__lt=before).delete()
    return removed


def remove_producer_states(before: int, now: Moment) -> None:
    """Remove the producer states that were written before an epoch.

    Each partition first notes from when on they are kept: a log may be restored from a backup.
    """
    old = ProducerState.objects.filter(epoch__lt=before)
    if not old.exists():
        return
    since = now.now - (now.epoch - before) * HOUR
    with transaction.atomic():
        list(Partition.objects.select_for_update().order_by("number"))
        partitions = Partition.objects.all()
        earlier = Q(states_epoch=None) | Q(states_epoch__lt=before)
        partitions.filter(earlier).update(states_epoch=before)
        earlier = Q(states_since=None) | Q(states_since__lt=since)
        partitions.filter(earlier).update(states_since=since)
    old.delete()


def has_old_events() -> bool:
    """Tell whether events have been waiting to be stored for more than an hour.

    They may have a key that was known when they were sent. Raises LogError.
    """
    log = get_log()
    for partition in Partition.objects.all():
        if (log.waited(partition.number, partition.log_position) or 0.0) > HOUR.total_seconds():
            return True
    return Spilled.objects.filter(inserted_at__lt=Now() - HOUR).exists()


def remove_keys(now: Moment) -> None:
    """Remove the keys of clients whose time is over, except for those of dead letters.

    A letter may be replayed after months: its key tells whether a repeat of it was counted.
    """
    metas = DeadLetter.objects.values_list("meta", flat=True)
    found = (split_key(bytes(meta or b""))[0] for meta in metas.iterator())
    needed = list({UUID(bytes=key) for key in found if is_key(key)})
    due = ClientKey.objects.filter(until__lte=now.epoch)
    for some in chunks(needed, KEYS_PER_STATEMENT):
        due.filter(pk__in=some).update(until=now.epoch + HOURS_PER_DAY)
    while keys := list(due.values_list("pk", flat=True)[:KEYS_PER_STATEMENT]):
        ClientKey.objects.filter(pk__in=keys).delete()


def epoch_of_log(now: Moment) -> int:
    """Return an epoch before which nothing was appended that is still in the log.

    A quiet partition keeps entries for weeks. They are read again if its position is lost, so their
    producer states are still needed. Of their producers and the clocks the earliest one counts.
    """
    log = get_log()
    return min(
        (
            _epoch_of(entry, now)
            for number in Partition.objects.values_list("number", flat=True)
            for entry in log.read(number, None, count=1, max_bytes=1).entries
        ),
        default=now.epoch,
    )


def _epoch_of(entry: Entry, now: Moment) -> int:
    """Return an epoch before which this entry, and those after it, were not appended."""
    ms = now.now_ms - (entry.appended_at if entry.at < 0 else min(entry.at, entry.appended_at))
    epoch = now.epoch - max(0, ms) // (3_600_000)
    if entry.event_id and day_of(entry.event_id.producer_id) <= now.day:
        epoch = min(epoch, day_of(entry.event_id.producer_id) * HOURS_PER_DAY)
    return epoch - MARGIN

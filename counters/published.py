"""Keeps the copies in Redis true: counters after a flush, answers after an edit."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from counters.homes import Homes
from counters.log import get_shelf
from counters.models import Stale
from counters.record import partition_for
from counters.registry import content_type_of
from eventlog import Away, LogError

logger = logging.getLogger(__name__)

AT_ONCE = 1_000  # notes that are worked off in one go
PATIENCE = 3.0  # seconds after the commit, after which counters are not published any more


@cache
def homes() -> Homes:
    """Return where this process knows copies to be. They live for twice PREPARED_SECONDS."""
    return Homes(life=2 * settings.PREPARED_SECONDS + 60)


def raise_counters(numbers: Mapping[str, int], committed: float) -> None:
    """Publish new counters, by the names of their targets, wherever there are copies of old ones.

    committed: when they were, by the monotonic clock. Raises LogError, after the partitions that
    could be told. What is not published is put right by the flush of the next view that shows it:
    that one publishes the sum again.
    """
    partitions = range(settings.EVENTLOG_PARTITIONS)
    by_partition: list[dict[str, int]] = [{} for _ in partitions]
    for name, number in numbers.items():
        mask = homes().of(name)
        for partition in partitions:
            if mask is None or mask >> partition & 1:
                by_partition[partition][name] = number
    _raise_to(by_partition, committed)


def _raise_to(by_partition: Sequence[Mapping[str, int]], committed: float) -> None:
    error: LogError | None = None
    for partition, own in enumerate(by_partition):
        # A publisher that slept must not undo what was set by hand meanwhile: see `withhold`.
        if time.monotonic() - committed > PATIENCE:
            return
        try:
            get_shelf().raise_to(partition, own)
        except Away:
            raise
        except LogError as one:  # its server alone, perhaps
            error = one
    if error:
        raise error


def changed(model: type[models.Model], ids: Iterable[int], *, counter: bool = False) -> None:
    """Note, in the transaction that changes them, that what is prepared of targets is stale.

    Redis is told after the commit, and again at every flush until it knows.
    counter: theirs went down, which no flush does.
    """
    kind = content_type_of(model)
    notes = [Stale(content_type=kind, target_id=pk, counter=counter) for pk in ids]
    if notes:
        Stale.objects.bulk_create(notes)
        transaction.on_commit(forget_stale, robust=True)


def forget_stale() -> None:
    """Make Redis forget what is noted; what it cannot be told stays noted."""
    while notes := list(Stale.objects.order_by("pk")[:AT_ONCE]):
        try:
            _forget(notes)
        except LogError as error:
            logger.warning("%d stale answers stay in Redis: %s", len(notes), error)
            return
        Stale.objects.filter(pk__in=[note.pk for note in notes]).delete()
        if len(notes) < AT_ONCE:
            return


def _forget(notes: Iterable[Stale]) -> None:
    by_partition: dict[int, set[str]] = {}
    for note in notes:
        kind = ContentType.objects.get_for_id(note.content_type_id)
        name = f"{kind.app_label}.{kind.model}:{note.target_id}"
        by_partition.setdefault(partition_for(name), set()).add(name)
        if note.counter:
            for partition in range(settings.EVENTLOG_PARTITIONS):
                get_shelf().withhold(partition, [name])
    for partition, names in by_partition.items():
        get_shelf().forget(partition, names)

"""Has Redis forget cached pages of what was changed, and counters that went down."""

import logging
from collections.abc import Iterable, Sequence

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from footfall.cache.entries import get_page_cache
from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.models import Invalidation
from footfall.record import partition_for
from footfall.registry import content_type_of

logger = logging.getLogger(__name__)

AT_ONCE = 1_000  # notes that are worked off in one go


def changed(model: type[models.Model], ids: Iterable[int], *, counter: bool = False) -> None:
    """Note, in the transaction that changes them, that what is prepared of targets is stale.

    Redis is told after the commit, and again at every flush until it knows.
    counter: theirs went down, which no flush does.
    """
    kind = content_type_of(model)
    notes = [Invalidation(content_type=kind, target_id=pk, counter=counter) for pk in ids]
    if notes:
        Invalidation.objects.bulk_create(notes)
        transaction.on_commit(send_invalidations, robust=True)


def send_invalidations() -> None:
    """Make Redis forget what is noted; what it cannot be told stays noted."""
    last = 0
    while notes := list(Invalidation.objects.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        told, error = _forget(notes)
        Invalidation.objects.filter(pk__in=told).delete()
        if error:
            logger.warning("%d stale answers stay in Redis: %s", len(notes) - len(told), error)
        if isinstance(error, Away) or len(notes) < AT_ONCE:
            return
        last = notes[-1].pk


def _forget(notes: Sequence[Invalidation]) -> tuple[list[int], LogError | None]:
    """Tell every partition that can be told; return the notes that all knew of, and what failed.

    In a cluster the others may be on servers that answer.
    """
    stale: dict[int, set[str]] = {}
    lowered: dict[int, set[str]] = {}
    concerned: dict[int, set[int]] = {}
    for note in notes:
        kind = ContentType.objects.get_for_id(note.content_type_id)
        name = f"{kind.app_label}.{kind.model}:{note.target_id}"
        home = partition_for(name)
        stale.setdefault(home, set()).add(name)
        everywhere = range(conf.COUNTERS_PARTITIONS) if note.counter else ()
        for partition in everywhere:
            lowered.setdefault(partition, set()).add(name)
        concerned[note.pk] = {home, *everywhere}
    failed: dict[int, LogError] = {}
    for partition in sorted({*stale, *lowered}):
        try:
            for name in lowered.get(partition, ()):
                get_page_cache().set_tombstone(partition, name)
            get_page_cache().forget(partition, stale.get(partition, ()))
        except Away as away:
            return [], away
        except LogError as error:
            failed[partition] = error
    told = [pk for pk, partitions in concerned.items() if not partitions & failed.keys()]
    return told, next(iter(failed.values()), None)

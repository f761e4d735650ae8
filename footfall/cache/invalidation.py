"""Removes cached pages of changed targets, and counters that went down, from Redis."""

import logging
from collections.abc import Iterable, Sequence

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from footfall.cache.entries import get_page_cache
from footfall.common.compiled import Compiled
from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.models import Invalidation
from footfall.record import partition_for
from footfall.registry import content_type_of

logger = logging.getLogger(__name__)

BATCH_SIZE = 1_000  # invalidations that are loaded and sent at once
AFTER = Compiled(lambda last: Invalidation.objects.filter(pk__gt=last).order_by("pk")[:BATCH_SIZE])


def invalidate(
    model: type[models.Model], ids: Iterable[int], *, counter_lowered: bool = False
) -> None:
    """Invalidate the cached pages of targets. Call it in the transaction that changes them.

    Redis is told after the commit, and again at every flush until it has answered.
    counter_lowered: whether their counters went down, which a flush never does.
    """
    content_type = content_type_of(model)
    rows = [
        Invalidation(content_type=content_type, target_id=pk, counter_lowered=counter_lowered)
        for pk in ids
    ]
    if rows:
        Invalidation.objects.bulk_create(rows)
        transaction.on_commit(send_invalidations, robust=True)


def send_invalidations() -> None:
    """Remove from Redis what was invalidated. What fails stays in the table."""
    last = 0
    while rows := AFTER.all(last):
        done, error = _send(rows)
        Invalidation.objects.filter(pk__in=done).delete()
        if error:
            logger.warning("%d invalidations were not sent: %s", len(rows) - len(done), error)
        if isinstance(error, Away) or len(rows) < BATCH_SIZE:
            return
        last = rows[-1].pk


def _send(rows: Sequence[Invalidation]) -> tuple[list[int], LogError | None]:
    """Send invalidations to their partitions; return the keys of those that arrived, and an error.

    If one partition fails, the others are told all the same: in a cluster they may be on servers
    that answer.
    """
    pages: dict[int, set[str]] = {}
    counters: dict[int, set[str]] = {}
    partitions_by_row: dict[int, set[int]] = {}
    for row in rows:
        content_type = ContentType.objects.get_for_id(row.content_type_id)
        name = f"{content_type.app_label}.{content_type.model}:{row.target_id}"
        own = partition_for(name)
        pages.setdefault(own, set()).add(name)
        # Its counter may be beside cached pages of any partition.
        everywhere = range(conf.COUNTERS_PARTITIONS) if row.counter_lowered else ()
        for partition in everywhere:
            counters.setdefault(partition, set()).add(name)
        partitions_by_row[row.pk] = {own, *everywhere}
    failed: dict[int, LogError] = {}
    for partition in sorted({*pages, *counters}):
        try:
            for name in counters.get(partition, ()):
                get_page_cache().set_tombstone(partition, name)
            get_page_cache().invalidate(partition, pages.get(partition, ()))
        except Away as away:
            return [], away
        except LogError as error:
            failed[partition] = error
    done = [pk for pk, partitions in partitions_by_row.items() if not partitions & failed.keys()]
    return done, next(iter(failed.values()), None)

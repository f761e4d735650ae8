"""Keeps the copies in Redis true: counters after a flush, answers after an edit."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from django.dispatch import Signal

from footfall.cache.entries import get_page_cache
from footfall.cache.invalidate import send_invalidations
from footfall.cache.locations import Locations
from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.ingest.aggregate import Sums
from footfall.ingest.claims import Claim
from footfall.models import Batch
from footfall.projections.totals import Counters
from footfall.registry import countable_models

logger = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds after the commit, after which counters are not published any more


counted = Signal()
"""Sent after the commit, once per model: `sender` the model, `counters` {id: its new counter}."""


@cache
def locations() -> Locations:
    """Return where this process knows copies to be. They live for twice COUNTERS_CACHE_SECONDS."""
    return Locations(life=2 * conf.COUNTERS_CACHE_SECONDS + 60)


def remember(claims: Sequence[Claim], sums: Sums, batch: Batch | None) -> None:
    """Remember from which partitions the targets were viewed: there may be copies."""
    if batch:
        read = {claim.number for claim in claims if claim.is_read}
        has_all = read.issuperset(range(conf.COUNTERS_PARTITIONS))
        locations().note(batch.pk, has_all, sums.seen)


def publish(counters: Counters, committed: float) -> None:
    """Renew the copies of the counters, and tell whoever else keeps one. Failing harms nobody."""
    named = {f"{label}:{pk}": n for label, values in counters.items() for pk, n in values.items()}
    try:
        raise_counters(named, committed)
        send_invalidations()
    except LogError as away:
        logger.warning("the counters were not published: %s", away)
    for label, values in counters.items():
        for receiver, error in counted.send_robust(countable_models()[label], counters=values):
            if isinstance(error, Exception):
                logger.error("%r failed", receiver, exc_info=error)


def raise_counters(numbers: Mapping[str, int], committed: float) -> None:
    """Publish new counters, by the names of their targets, wherever there are copies of old ones.

    committed: when they were, by the monotonic clock. Raises Away; a server of a cluster concerns
    its own copies alone. What is not published is put right by the flush of the next view that
    shows it: that one publishes the sum again.
    """
    where = locations().of(numbers)
    by_partition: list[dict[str, int]] = [{} for _ in range(conf.COUNTERS_PARTITIONS)]
    for name, mask in where.items():
        for partition in partitions_in(mask, len(by_partition)):
            by_partition[partition][name] = numbers[name]
    found = {name: 0 for name, mask in where.items() if mask is None}
    if _raise_to(by_partition, committed, found):
        locations().note_found(found)


def _raise_to(
    by_partition: Sequence[Mapping[str, int]], committed: float, found: dict[str, int]
) -> bool:
    """Note in `found` where copies are; return whether all partitions were told in time."""
    were_told = True
    for partition, own in enumerate(by_partition):
        # A publisher that slept must not undo what was set by hand meanwhile: see `withhold`.
        if time.monotonic() - committed > PATIENCE:
            return False
        try:
            there = get_page_cache().raise_to(partition, own)
        except Away:
            raise
        except LogError as error:  # in a cluster, its server alone
            logger.warning("the counters of partition %d were not published: %s", partition, error)
            were_told = False
            continue
        for name in there:
            if name in found:
                found[name] |= 1 << partition
    return were_told


@lru_cache(maxsize=1024)
def partitions_in(mask: int | None, number: int) -> list[int]:
    """Return the partitions that have a bit in `mask`: each of the `number` if it is None."""
    return [p for p in range(number) if mask is None or mask >> p & 1]

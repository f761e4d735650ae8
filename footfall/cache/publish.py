"""Brings the copies in Redis up to date after a flush, and sends the signal `counted`."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import cache

from django.dispatch import Signal

from footfall.cache.entries import get_page_cache
from footfall.cache.invalidation import send_invalidations
from footfall.cache.locations import Locations
from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.ingest.aggregate import Sums
from footfall.ingest.claims import Claim
from footfall.models import Batch
from footfall.projections.totals import Counters
from footfall.registry import countable_models

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS = 3.0
"""Longest time between a commit and the publishing of its counters: a publisher that was suspended
must not undo an adjustment. It is less than `entries.TOMBSTONE_MS`."""

counted = Signal()
"""Sent after the commit, once per model: `sender` the model, `counters` {id: its new counter}."""


@cache
def locations() -> Locations:
    """Return where this process knows copies to be. They live for twice COUNTERS_CACHE_SECONDS."""
    return Locations(life=2 * conf.COUNTERS_CACHE_SECONDS + 60)


def note_locations(claims: Sequence[Claim], sums: Sums, batch: Batch | None) -> None:
    """Note from which partitions the targets were viewed: copies may be there."""
    if batch:
        read = {claim.number for claim in claims if claim.is_read}
        claimed_all = read.issuperset(range(conf.COUNTERS_PARTITIONS))
        locations().note(batch.pk, claimed_all, sums.partitions)


def publish(counters: Counters, committed: float) -> None:
    """Increase the copies of the counters, and send `counted`. Errors are only logged."""
    named = {f"{label}:{pk}": n for label, values in counters.items() for pk, n in values.items()}
    try:
        increase_counters(named, committed)
        send_invalidations()
    except LogError as away:
        logger.warning("the counters were not published: %s", away)
    for label, values in counters.items():
        for receiver, error in counted.send_robust(countable_models()[label], counters=values):
            if isinstance(error, Exception):
                logger.error("%r failed", receiver, exc_info=error)


def increase_counters(counters: Mapping[str, int], committed: float) -> None:
    """Increase the copies of counters, by target name, in every partition that has one.

    committed: when the counters were committed, by the monotonic clock. Raises Away. A copy missed
    here is corrected by the next flush that counts a view of the same target.
    """
    masks = locations().masks_for(counters)
    found = {name: 0 for name, mask in masks.items() if mask is None}
    all_answered = True
    for partition in range(conf.COUNTERS_PARTITIONS):
        if time.monotonic() - committed > MAX_AGE_SECONDS:
            return
        bit = 1 << partition
        here = {name: counters[name] for name, mask in masks.items() if mask is None or mask & bit}
        existing = _increase_in(partition, here)
        all_answered = all_answered and existing is not None
        for name in found.keys() & set(existing or ()):
            found[name] |= bit
    if all_answered:
        locations().note_found(found)


def _increase_in(partition: int, counters: Mapping[str, int]) -> list[str] | None:
    """Return the names of the counters that have a copy in the partition; None if unknown."""
    try:
        return get_page_cache().increase_counters(partition, counters)
    except Away:
        raise
    except LogError as error:  # in a cluster: the others may be on servers that answer
        logger.warning("the counters of partition %d were not published: %s", partition, error)
        return None

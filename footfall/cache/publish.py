"""Publishes counters to Redis after a projection, and sends the signal `counted`."""

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import models

from footfall.cache.entries import get_page_cache
from footfall.cache.invalidation import send_invalidations
from footfall.cache.locations import Locations
from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.projections.kept.rows import keys_of
from footfall.projections.totals import Applied
from footfall.registry import countable_models, is_keyed, owner_of
from footfall.signals import counted

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS = 3.0
"""Longest time between a commit and the publishing of its counters: a publisher that was suspended
must not undo an adjustment. It is less than `entries.TOMBSTONE_MS`."""


@cache
def locations(label: str) -> Locations:
    """Return where this process knows copies of a model's counters to be.

    They live for twice COUNTERS_CACHE_SECONDS.
    """
    return Locations(life=2 * conf.COUNTERS_CACHE_SECONDS + 60)


def publish(applied: Sequence[Applied]) -> None:
    """Increase the copies of the counters, and send `counted`. Errors are only logged."""
    for one in applied:
        locations(one.label).note(one.first, one.last, one.masks)
    try:
        increase_counters(applied)
        send_invalidations()
    except LogError as away:
        logger.warning("the counters were not published: %s", away)
    for one in applied:
        if not one.counters:
            continue
        model, counters = _of_the_project(one)
        for receiver, error in counted.send_robust(model, counters=counters):
            if isinstance(error, Exception):
                logger.error("%r failed", receiver, exc_info=error)


def _of_the_project(applied: Applied) -> tuple[type[models.Model], Mapping[Any, int]]:
    """Return the model that was counted, and the counters by its primary keys."""
    model = countable_models()[applied.label]
    if not is_keyed(model):
        return owner_of(model), applied.counters
    keys = keys_of(model, applied.counters)
    return owner_of(model), {key: applied.counters[one] for one, key in keys.items()}


def increase_counters(applied: Sequence[Applied]) -> None:
    """Increase the copies of counters in every partition that may have one.

    Raises Away. The cached pages of a partition whose copies are missed are discarded once Redis
    answers.
    """
    recent = [one for one in applied if time.monotonic() - one.committed <= MAX_AGE_SECONDS]
    if any(one.counters for one in applied if one not in recent):
        get_page_cache().distrusted.add(range(conf.COUNTERS_PARTITIONS))
    masks = {one.label: locations(one.label).masks_for(one.counters) for one in recent}
    by_partition: dict[int, dict[str, int]] = defaultdict(dict)
    for one in recent:
        for target, mask in masks[one.label].items():
            for partition in _bits(mask) if mask is not None else range(conf.COUNTERS_PARTITIONS):
                by_partition[partition][f"{one.label}:{target}"] = one.counters[target]
    existing: dict[int, list[str] | None] = {}
    try:
        for partition, counters in sorted(by_partition.items()):
            existing[partition] = _increase_in(partition, counters)
    finally:  # if Redis is away, the other partitions were not tried
        missed = [one for one in by_partition if existing.get(one) is None]
        get_page_cache().distrusted.add(missed)
    if None not in existing.values():
        _note_found(masks, existing)


def _note_found(
    masks: Mapping[str, Mapping[int, int | None]], existing: Mapping[int, list[str] | None]
) -> None:
    """Note where copies are of the targets for which all partitions were asked."""
    for label, by_target in masks.items():
        asked = {f"{label}:{target}": target for target, mask in by_target.items() if mask is None}
        found = dict.fromkeys(asked.values(), 0)
        for partition, names in existing.items():
            for name in asked.keys() & set(names or ()):
                found[asked[name]] |= 1 << partition
        locations(label).note_found(found)


@cache
def _bits(mask: int) -> list[int]:
    """Return the partitions of a mask."""
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _increase_in(partition: int, counters: Mapping[str, int]) -> list[str] | None:
    """Return the names of the counters that have a copy in the partition; None if unknown."""
    try:
        return get_page_cache().increase_counters(partition, counters)
    except Away:
        raise
    except LogError as error:  # in a cluster: the others may be on servers that answer
        logger.warning("the counters of partition %d were not published: %s", partition, error)
        return None

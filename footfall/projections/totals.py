"""The projection `totals`: views are added to the counters of their targets.

A row that another transaction has locked holds up itself, not the others: its views are carried
over in a table of their own, and added once it is free.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db import models
from django.db.models import Exists, OuterRef

from footfall import sql
from footfall.common.chunks import chunks
from footfall.common.compiled import Compiled
from footfall.common.failpoints import failpoint
from footfall.events import DropReason
from footfall.models import Adjustment, Base, Carried, Projection
from footfall.projections.batch import Batch
from footfall.projections.kept.rows import NO_CHANGES, Changes, has_counts, keep_new
from footfall.projections.policies import agrees
from footfall.projections.rows import claim, move
from footfall.registry import (
    content_type_of,
    countable_models,
    counter_field,
    is_copied,
    policy_of,
)
from footfall.sql.batch import MAX_COUNTER
from footfall.store.visits import take

logger = logging.getLogger(__name__)

Counters = dict[int, int]
"""New counters by id, of every target that was counted."""

CHUNK_SIZE = 5_000  # carried rows that one statement deletes
CARRIED = Compiled(
    lambda kind: Carried.objects.filter(content_type_id=kind).values_list("target_id", "views")
)


class Applied(NamedTuple):
    """What one transaction did, for those who publish it."""

    label: str
    first: int
    """Number of the first segment that was applied, also if it had no view of the model."""
    last: int
    masks: Mapping[int, int]
    """The partitions from which targets were viewed in these segments, by id: a bit for each."""
    counters: Counters
    committed: float
    """When, by the monotonic clock."""
    changes: Changes = NO_CHANGES
    """`Projection.changes` before and after, if the counters are copied."""


def project_totals(label: str, batch: Batch) -> Applied | None:
    """Apply the batch in a transaction of its own.

    Returns None if the projection is not at the batch's position, goes on with other verdicts, or
    is applied by another process. Raises sql.LockTimeout.
    """
    model = countable_models()[label]
    policy = policy_of(model)
    with sql.atomic_with_lock_timeout():
        row = claim("totals", label, batch.position)
        if row is None or not agrees(row, policy, batch.verdicts):
            return None
        if not row.counted_before:
            note_counted_before(row)
        failpoint("totals_before_apply")
        if policy.most:
            counts = take(row, policy, batch.visits.of.get(label, {}))
        else:
            counts = batch.totals(label, policy.column)
        changes = keep_new(model, batch)
        counters, dropped = apply(model, counts, batch.since)
        failpoint("totals_after_apply")
        move(row, batch.until, dropped)
        failpoint("totals_before_commit")
    committed = time.monotonic()
    failpoint("totals_after_commit")
    first, last = batch.position.number + 1, batch.until.number
    return Applied(label, first, last, batch.masks(label), counters, committed, changes)


def note_counted_before(row: Projection) -> None:
    """Note whether the model had counts when its counting began: before anything is applied."""
    model = countable_models()[row.label]
    kind, counter = content_type_of(model), counter_field(model).name
    counted = model._base_manager.filter(**{f"{counter}__gt": 0})
    for table in (Base, Adjustment):
        explained = table._default_manager.filter(content_type=kind, target_id=OuterRef("pk"))
        counted = counted.exclude(Exists(explained))
    has_counted = counted.exists() or (is_copied(model) and has_counts(model))
    row.counted_before = Projection.Counted.YES if has_counted else Projection.Counted.NO
    row.save(update_fields=["counted_before"])


def apply(
    model: type[models.Model], counts: Mapping[int, int], since: int
) -> tuple[Counters, Counter[str]]:
    """Add to the counters: {id: views}, and what was carried over, in one UPDATE.

    since: when the earliest view happened, in ms since 1970. Returns the new counters, and how many
    views were not counted, by reason.
    """
    kind = content_type_of(model)
    carried = dict(CARRIED.all(kind.pk))
    counters = None if carried else sql.add_counts_unless_locked(model, counts)
    if counters is not None:
        return counters, _dropped(model, counts, counters)
    every = dict(counts)
    for target, views in carried.items():
        every[target] = every.get(target, 0) + views
    free = sql.lock_free(model, every)
    counters = sql.add_counts(model, {target: every[target] for target in free})
    locked = sql.existing(model, every.keys() - free)
    sql.add_carried(model, {target: counts[target] for target in locked & counts.keys()}, since)
    _forget(Carried.objects.filter(content_type=kind), carried.keys() - locked)
    done = {target: views for target, views in every.items() if target not in locked}
    return counters, _dropped(model, done, counters)


def _forget(rows: models.QuerySet[Carried], ids: Iterable[int]) -> None:
    """Delete carried rows: their targets were counted, or are gone."""
    for some in chunks(sorted(ids), CHUNK_SIZE):
        rows.filter(target_id__in=some).delete()


def _dropped(
    model: type[models.Model], counts: Mapping[int, int], counters: Counters
) -> Counter[str]:
    """Return how many of the views were not counted, by reason."""
    dropped: Counter[str] = Counter()
    for target in counts.keys() - counters.keys():
        dropped[DropReason.TARGET_DELETED] += counts[target]
    if max(counters.values(), default=0) >= MAX_COUNTER:
        full = [target for target, views in counters.items() if views >= MAX_COUNTER]
        logger.error("%s %s: the counter is full", model._meta.label, full)
        dropped[DropReason.COUNTER_FULL] += sum(counts[target] for target in full)
    return dropped

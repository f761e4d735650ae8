"""The audit: are the invariants true, while views keep coming?

* every counter is what rollups, adjustments and event store say: see `comparison`;
* the hourly totals are the sums of the rollups, for every model and day;
* the log was not trimmed above a position, and no producer state is below a position;
* every projection is at a place that the event store has;
* the store is whole, and has every event that the partitions have taken;
* producer states and spill are valid.

Only what is repaired is locked. A comparison sees one moment, of some thousand targets or one day,
and holds no snapshot for longer than that.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from django.contrib.contenttypes.models import ContentType
from django.db.models import F, OuterRef
from django.db.models.functions import Coalesce, TruncDay
from django.utils import timezone

from footfall.eventlog import Entry
from footfall.log import get_log
from footfall.models import Audit, HourTotal, Partition, ProducerState, Projection, Rollup
from footfall.ops.adjust import InvalidAdjustment
from footfall.ops.comparison import Difference, Gap, Incomparable, Progress, compare, repair
from footfall.ops.invariants import (
    broken_producer_states,
    broken_spill,
    broken_store,
    corrupt_segments,
    sum_of,
    unaccounted_events,
)
from footfall.registry import content_type_of, countable_models
from footfall.store.read import PositionLost, segments_after

KEPT_LINES = 100


def run_audit(
    audit: Audit, repair: bool = False, progress: Progress | None = None
) -> Iterator[str]:
    """Check everything, yield a line for each thing that is wrong, and save the result in `audit`.

    repair: repair the counters too. Raises LogError or DatabaseError if a store is away. An audit
    that was interrupted keeps the error, and is not clean.
    """
    audit.started_at = timezone.now()
    audit.save()
    try:
        for line in _findings(audit, repair, progress):
            if len(audit.lines) < KEPT_LINES:
                audit.lines.append(line)
            yield line
    except BaseException as error:  # also if it is interrupted, or not read to its end
        audit.error = str(error).strip() or type(error).__name__
        raise
    finally:
        audit.finished_at = timezone.now()
        audit.save()


def _findings(audit: Audit, repairs: bool, progress: Progress | None) -> Iterator[str]:
    audit.repaired = repairs
    for label in sorted(countable_models()):
        gap = Gap(label)
        try:
            for difference in compare(gap, progress):
                audit.differences += 1
                yield f"{difference}{_repaired(difference, gap, audit) if repairs else ''}"
        except Incomparable as reason:
            audit.broken += 1
            yield str(reason)
    for check in CHECKS:
        for line in check():
            audit.broken += 1
            yield line


def differences(progress: Progress | None = None) -> Iterator[Difference]:
    """Yield every target that differs, model by model. Raises Incomparable."""
    for label in sorted(countable_models()):
        yield from compare(Gap(label), progress)


def _repaired(difference: Difference, gap: Gap, audit: Audit) -> str:
    try:
        expected = repair(difference, gap)
    except InvalidAdjustment as reason:
        audit.repaired = False
        return f"; not repaired: {reason}"
    return "; deleted meanwhile" if expected is None else f"; set to {expected}"


def broken_totals() -> Iterator[str]:
    """Yield a line for each model and day whose hourly totals are not the sum of its rollups."""
    totals = HourTotal.objects.order_by()
    counted = {content_type_of(model).pk for model in countable_models().values()}
    for kind in sorted(counted | set(totals.values_list("content_type", flat=True).distinct())):
        days = totals.filter(content_type=kind).annotate(day=TruncDay("hour", tzinfo=UTC))
        starts = sorted(days.values_list("day", flat=True).distinct())[1:]
        # The first and the last range are open, so that no rollup is left out.
        for since, until in pairwise([None, *starts, None]):
            yield from _broken_total(kind, since, until)


def _broken_total(kind: int, since: datetime | None, until: datetime | None) -> Iterator[str]:
    def views(source: type[Rollup] | type[HourTotal]) -> Coalesce:
        by_model = source._default_manager.filter(content_type=OuterRef("pk"))
        if since:
            by_model = by_model.filter(hour__gte=since)
        if until:
            by_model = by_model.filter(hour__lt=until)
        return sum_of(by_model, "content_type", "views")

    # One statement, so one moment.
    compared = ContentType.objects.annotate(rolled=views(Rollup), total=views(HourTotal))
    for model in compared.filter(pk=kind).exclude(rolled=F("total")):
        when = f" from {since:%Y-%m-%d}" if since else f" until {until:%Y-%m-%d}" if until else ""
        yield f"{model}{when}: {model.rolled} views in the rollups, {model.total} in the totals"


def broken_positions() -> Iterator[str]:
    """Yield a line for each position that is wrong. Raises LogError if the log is away."""
    log = get_log()
    for partition in Partition.objects.order_by("number"):
        position = partition.log_position
        if position is None:
            continue
        if position.event_id:
            producer_id, sequence = position.event_id
            states = ProducerState.objects.filter(partition=partition.number)
            state = states.filter(producer_id=producer_id).first()
            if state and state.sequence < sequence:
                yield (
                    f"partition {partition}: the producer state went down"
                    f" from {sequence} to {state.sequence}"
                )
        first = log.read(partition.number, None, count=1, max_bytes=1).entries
        if not first or not is_after_a_gap(first[0], partition.number):
            continue
        # Unless a flush has moved the position since it was read.
        if Partition.objects.filter(pk=partition.pk, position=partition.position).exists():
            yield f"partition {partition}: trimmed above its position {partition.position}"


def is_after_a_gap(entry: Entry, partition: int) -> bool:
    """Tell whether events of the same producer before this one are gone, and were not read."""
    if entry.event_id is None:
        return False
    producer_id, sequence = entry.event_id
    states = ProducerState.objects.filter(partition=partition, producer_id=producer_id)
    return states.filter(sequence__lt=sequence - 1).exists()


def broken_projections() -> Iterator[str]:
    """Yield a line for each projection whose position the event store does not have."""
    for projection in Projection.objects.order_by("name"):
        number, key, _ = projection.position
        try:
            segments_after(projection.position, 1)
        except PositionLost:
            # Unless it has moved since it was read, and the segment was compacted.
            if Projection.objects.filter(pk=projection.pk, number=number, key=key).exists():
                yield f"projection {projection}: the event store has no segment {number} of its key"


CHECKS = (
    broken_totals,
    broken_positions,
    broken_projections,
    broken_store,
    corrupt_segments,
    unaccounted_events,
    broken_producer_states,
    broken_spill,
)
"""Each yields a line for everything that is wrong."""

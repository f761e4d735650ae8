"""The audit: are the invariants true, while views keep coming?

* every counter and every rollup is what base, events and adjustments say: see `footfall.recount`;
  or, in a quick audit, every counter is what rollups, adjustments and event store say;
* the hourly totals are the sums of the rollups, for every model and day;
* the log was not trimmed above a position, and no producer state is below a position;
* every projection is at a place that the event store has;
* some of the sketches of visitors, others each time, can be read and have as many as they say;
* the store is whole, and has every event that the partitions have taken;
* producer states and spill are valid.

Only what is repaired is locked. A comparison sees one moment, of some thousand targets or one day,
and holds no snapshot for longer than that.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models.functions import TruncDay
from django.utils import timezone

from footfall.eventlog import Entry
from footfall.log import get_log
from footfall.models import (
    COLUMNS,
    VIEWS,
    Audit,
    Correction,
    HourTotal,
    Partition,
    ProducerState,
    Projection,
    Rollup,
)
from footfall.ops.audit.invariants import (
    broken_producer_states,
    broken_spill,
    broken_store,
    corrupt_segments,
    unaccounted_events,
    wrong_sketches,
)
from footfall.ops.audit.recounted import Recounted
from footfall.projections.policies import goes_by_verdicts
from footfall.projections.rows import WITH_VERDICTS
from footfall.projections.visitors.daily import count_again
from footfall.recount.comparison import Difference, OtherPolicy, compare
from footfall.recount.counting import Progress
from footfall.recount.gap import Gap, Incomparable
from footfall.recount.visitors import recount_noted
from footfall.registry import content_type_of, countable_models, limits
from footfall.store.read import is_known
from footfall.verdicts import present_version

KEPT_LINES = 100
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1000, 9999))


def run_audit(
    audit: Audit,
    repair: bool = False,
    progress: Progress | None = None,
    *,
    quick: bool = False,
) -> Iterator[str]:
    """Check everything, yield a line for each thing that is wrong, and save the result in `audit`.

    repair: repair counters and rollups too. quick: compare counters with rollups alone. Raises
    LogError or DatabaseError if a store is away. An audit that was interrupted keeps the error, and
    is not clean; the next one goes on with what it has counted.
    """
    audit.started_at = timezone.now()
    audit.save()
    try:
        for line in _findings(audit, repair, progress, quick):
            if len(audit.lines) < KEPT_LINES:
                audit.lines.append(line)
            yield line
    except BaseException as error:  # also if it is interrupted, or not read to its end
        audit.error = str(error).strip() or type(error).__name__
        raise
    finally:
        audit.finished_at = timezone.now()
        audit.save()


def _findings(audit: Audit, repairs: bool, progress: Progress | None, quick: bool) -> Iterator[str]:
    audit.repaired = repairs
    yield from _quick(audit, progress) if quick else Recounted(audit, repairs, progress).findings()
    yield from _sketches(audit, repairs)
    for check in CHECKS:
        for line in check():
            audit.broken += 1
            yield line


def _sketches(audit: Audit, repairs: bool) -> Iterator[str]:
    """Yield a line for each sketch of visitors that is wrong. repairs: count their days again."""
    labels = set()
    for wrong in wrong_sketches():
        if repairs:
            count_again(wrong.label, [wrong.day], Correction.Kind.REPAIR)
            labels.add(wrong.label)
        else:
            audit.broken += 1
        yield f"{wrong}; its day is counted again" if repairs else str(wrong)
    recount_noted(labels)


def _quick(audit: Audit, progress: Progress | None) -> Iterator[str]:
    for label in sorted(countable_models()):
        if label in limits():
            yield f"{label}: not compared with rollups, it counts by visitor; a whole audit does it"
        try:
            for difference in compare(Gap(label), progress):
                audit.differences += 1
                yield str(difference)
        except OtherPolicy as reason:
            yield str(reason)
        except Incomparable as reason:
            audit.broken += 1
            yield str(reason)


def differences(progress: Progress | None = None) -> Iterator[Difference]:
    """Yield every counter that differs from its rollups, model by model. Raises Incomparable."""
    for label in sorted(countable_models()):
        yield from compare(Gap(label), progress)


def broken_totals() -> Iterator[str]:
    """Yield a line for each model and day whose hourly totals are not the sum of its rollups."""
    totals = HourTotal.objects.order_by().annotate(day=TruncDay("hour", tzinfo=UTC))
    starts: dict[int, list[datetime]] = {
        content_type_of(model).pk: [] for model in countable_models().values()
    }
    for kind, day in totals.values_list("content_type_id", "day").distinct():
        starts.setdefault(kind, []).append(day)
    for kind, days in sorted(starts.items()):
        # The first and the last range are open, so that no rollup is left out.
        for since, until in pairwise([None, *sorted(days)[1:], None]):
            yield from _broken_total(kind, since, until)


def _broken_total(kind: int, since: datetime | None, until: datetime | None) -> Iterator[str]:
    sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in COLUMNS)
    # One statement, so one moment.
    statement = " UNION ALL ".join(
        f"SELECT {place}, {sums} FROM {table._meta.db_table}"  # noqa: S608
        " WHERE content_type_id = %s AND hour >= %s AND hour < %s"
        for place, table in enumerate((Rollup, HourTotal))
    )
    hours = map(connection.ops.adapt_datetimefield_value, (since or FIRST, until or LAST))
    with connection.cursor() as cursor:
        cursor.execute(statement, [kind, *hours] * 2)
        found = sorted(cursor.fetchall())
    rolled, total = (dict(zip(COLUMNS, views, strict=True)) for _place, *views in found)
    if rolled == total:
        return
    model = ContentType.objects.filter(pk=kind).first()
    when = f" from {since:%Y-%m-%d}" if since else f" until {until:%Y-%m-%d}" if until else ""
    for name in COLUMNS:
        if rolled[name] != total[name]:
            of = "views" if name == VIEWS else f"views of kind {name}"
            yield f"{model}{when}: {rolled[name]} {of} in the rollups, {total[name]} in the totals"


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
    """Yield a line for each projection whose position the event store does not have, or that goes
    on with verdicts about agents that are not the present ones.
    """
    rows = Projection.objects.order_by("name")
    known = {one for one in {row.position for row in rows} if is_known(one)}
    present = present_version()
    for projection in rows:
        number, key, _ = projection.position
        same = Projection.objects.filter(pk=projection.pk, number=number, key=key)
        # Unless it has moved since it was read, and the segment was compacted.
        if projection.position not in known and same.exists():
            yield f"projection {projection}: the event store has no segment {number} of its key"
        version = projection.verdicts
        tells_kinds = projection.kind in WITH_VERDICTS or goes_by_verdicts(projection)
        is_other = tells_kinds and version != present
        if is_other and same.filter(verdicts=version).exists():
            yield f"projection {projection}: it waits for other verdicts, a rebuild sets it right"


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

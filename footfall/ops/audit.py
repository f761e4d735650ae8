"""The audit: are the invariants true, while views keep coming?

* counter == sum(rollups) + sum(adjustments), for every target;
* the hourly totals are the sums of the rollups, for every model and day;
* the log was not trimmed above a position, and no producer state is below a position;
* the batches account for every event of the partitions; producer states and spill are valid.

Only what is repaired is locked. Each comparison is one statement about some thousand targets or one
day, so it sees one moment and holds no snapshot for longer than that.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import F, Max, OuterRef, Sum
from django.db.models.functions import Coalesce, TruncDay
from django.utils import timezone

from footfall import sql
from footfall.cache.invalidation import invalidate
from footfall.events import BIGINT
from footfall.log import get_log
from footfall.models import Adjustment, Audit, HourTotal, Partition, ProducerState, Rollup
from footfall.ops.adjust import InvalidAdjustment
from footfall.ops.invariants import broken_batches, broken_producer_states, broken_spill, sum_of
from footfall.registry import content_type_of, countable_models, counter_field
from footfall.sql.batch import names_of

KEPT_LINES = 100
CHUNK_SIZE = 5_000  # targets that one statement compares

Progress = Callable[[str, int, int], None]
"""Called with what is compared, the last id compared and the highest id."""


@dataclass(frozen=True)
class Difference:
    """A target whose counter is not the sum of its rollups and adjustments."""

    label: str
    target: int
    counter: int
    expected: int

    def __str__(self) -> str:
        return f"{self.label} {self.target}: counter {self.counter}, rollups say {self.expected}"


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
    for difference in differences(progress):
        audit.differences += 1
        yield f"{difference}{_repaired(difference, audit) if repairs else ''}"
    in_tables = (broken_batches, broken_producer_states, broken_spill)
    for check in (broken_totals, broken_positions, *in_tables):
        for line in check():
            audit.broken += 1
            yield line


def _repaired(difference: Difference, audit: Audit) -> str:
    try:
        expected = repair(difference)
    except InvalidAdjustment as reason:
        audit.repaired = False
        return f"; not repaired: {reason}"
    return "; deleted meanwhile" if expected is None else f"; set to {expected}"


def differences(progress: Progress | None = None) -> Iterator[Difference]:
    """Yield every target that differs, model by model, in the order of the ids.

    A statement sees one moment: each flush commits before it or after it.
    """
    for label, model in sorted(countable_models().items()):
        kind, statement = content_type_of(model).pk, _comparison(model)
        highest = model._base_manager.aggregate(n=Max("pk"))["n"] or 0
        for after, last in _ranges(model):
            span = (after, last)
            with connection.cursor() as cursor:
                cursor.execute(statement, [kind, *span, kind, *span, *span])
                rows = cursor.fetchall()
            for row in rows:
                yield Difference(label, *map(int, row))
            if progress:
                progress(label, min(last, highest), highest)


def _ranges(model: type[models.Model]) -> Iterator[tuple[int, int]]:
    """Yield (after, last): `CHUNK_SIZE` targets each, however their ids are spread."""
    ids = model._base_manager.order_by("pk").values_list("pk", flat=True)
    after = -1
    while (last := ids.filter(pk__gt=after)[CHUNK_SIZE - 1 : CHUNK_SIZE].first()) is not None:
        yield after, last
        after = last
    yield after, BIGINT - 1


def _comparison(model: type[models.Model]) -> str:
    table, key, counter = names_of(model)
    expected = "COALESCE(rolled.n, 0) + COALESCE(adjusted.n, 0)"
    sums = """
        SELECT target_id, SUM({}) AS n FROM {}
        WHERE content_type_id = %s AND target_id > %s AND target_id <= %s GROUP BY target_id
    """
    return f"""
        SELECT target.{key}, target.{counter}, {expected} FROM {table} target
        LEFT JOIN ({sums.format("views", Rollup._meta.db_table)}) rolled
            ON rolled.target_id = target.{key}
        LEFT JOIN ({sums.format("amount", Adjustment._meta.db_table)}) adjusted
            ON adjusted.target_id = target.{key}
        WHERE target.{key} > %s AND target.{key} <= %s AND target.{counter} <> {expected}
        ORDER BY target.{key}
    """  # noqa: S608


def repair(difference: Difference) -> int | None:
    """Set the counter to the sum of rollups and adjustments; return it, or None if it was deleted.

    The row is locked first, so no flush can come between the sum and the counter. Raises
    InvalidAdjustment if the sum is below 0: a counter was written directly, then reset.
    """
    model = countable_models()[difference.label]
    of_target = {"content_type": content_type_of(model), "target_id": difference.target}
    with transaction.atomic():
        row = sql.lock(model._base_manager.filter(pk=difference.target))
        if not list(row.values_list("pk")):
            return None
        views = Rollup.objects.filter(**of_target).aggregate(n=Sum("views"))["n"] or 0
        amount = Adjustment.objects.filter(**of_target).aggregate(n=Sum("amount"))["n"] or 0
        expected: int = views + amount
        if expected < 0:
            raise InvalidAdjustment("below 0")
        model._base_manager.filter(pk=difference.target).update(
            **{counter_field(model).name: expected}
        )
        invalidate(model, [difference.target], counter_lowered=True)
        return expected


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
        if not first or not first[0].offset > position.offset > 0:
            continue
        # Unless a flush has moved the position since it was read.
        if Partition.objects.filter(pk=partition.pk, position=partition.position).exists():
            yield f"partition {partition}: trimmed above its position {partition.position}"

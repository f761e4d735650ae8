"""The audit: are the invariants true, while views keep coming?

* counter == sum(rollups) + sum(adjustments), for every target;
* the totals by the hour are the sums of the rollups, for every model;
* nothing was trimmed above a position, and the mark of a position's session is not below it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from counters import published, sql
from counters.figures import Audit, HourTotal
from counters.log import get_log
from counters.models import Adjustment, Mark, Partition, Rollup
from counters.registry import (
    content_type_of,
    countable_models,
    counter_column,
    counter_name,
    key_column,
)
from eventlog import LogError

KEPT_LINES = 100


@dataclass(frozen=True)
class Difference:
    """A target whose counter is not what its rollups and adjustments add up to."""

    label: str
    target: int
    counter: int
    expected: int

    def __str__(self) -> str:
        return f"{self.label} {self.target}: counter {self.counter}, rollups say {self.expected}"


def carry_out(audit: Audit, repair: bool = False) -> Iterator[str]:
    """Look at everything, yield a line for each thing that is wrong, and note the result.

    repair: mend the counters too. Raises LogError or DatabaseError if a store is away.
    """
    audit.started_at = timezone.now()
    audit.save()
    try:
        for line in _findings(audit, repair):
            if len(audit.lines) < KEPT_LINES:
                audit.lines.append(line)
            yield line
    except (LogError, DatabaseError) as error:
        audit.error = str(error).strip() or type(error).__name__
        raise
    finally:
        audit.finished_at = timezone.now()
        audit.save()


def _findings(audit: Audit, mend: bool) -> Iterator[str]:
    audit.repaired = mend
    for difference in differences():
        audit.differences += 1
        yield f"{difference}{_mended(difference) if mend else ''}"
    for line in (*broken_totals(), *broken_positions()):
        audit.broken += 1
        yield line


def _mended(difference: Difference) -> str:
    expected = repair(difference)
    return "; deleted meanwhile" if expected is None else f"; set to {expected}"


def differences() -> Iterator[Difference]:
    """Yield every target that differs, model by model.

    One statement per model sees one moment: a flush commits before it or after it.
    """
    for label, model in sorted(countable_models().items()):
        with connection.cursor() as cursor:
            content_type = content_type_of(model)
            cursor.execute(_comparison(model), [content_type.pk, content_type.pk])
            while rows := cursor.fetchmany(1000):
                for row in rows:
                    yield Difference(label, *map(int, row))


def _comparison(model: type[models.Model]) -> str:
    quote = connection.ops.quote_name
    key, counter = quote(key_column(model)), quote(counter_column(model))
    table = quote(model._meta.db_table)
    rollup, adjustment = quote(Rollup._meta.db_table), quote(Adjustment._meta.db_table)
    return f"""
        SELECT target.{key}, target.{counter},
            COALESCE(rolled.views, 0) + COALESCE(adjusted.amount, 0)
        FROM {table} target
        LEFT JOIN (
            SELECT target_id, SUM(views) AS views FROM {rollup}
            WHERE content_type_id = %s GROUP BY target_id
        ) rolled ON rolled.target_id = target.{key}
        LEFT JOIN (
            SELECT target_id, SUM(amount) AS amount FROM {adjustment}
            WHERE content_type_id = %s GROUP BY target_id
        ) adjusted ON adjusted.target_id = target.{key}
        WHERE target.{counter} <> COALESCE(rolled.views, 0) + COALESCE(adjusted.amount, 0)
        ORDER BY target.{key}
    """  # noqa: S608


def repair(difference: Difference) -> int | None:
    """Set the counter to what rollups and adjustments say now; return it, None if it is gone.

    The row is locked first, so no flush can come between the sum and the counter.
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
        model._base_manager.filter(pk=difference.target).update(**{counter_name(model): expected})
        published.changed(model, [difference.target], counter=True)
        return expected


def broken_totals() -> Iterator[str]:
    """Yield every model whose totals by the hour are not what its rollups add up to."""

    def views(source: type[Rollup] | type[HourTotal]) -> Coalesce:
        by_model = source._default_manager.filter(content_type=OuterRef("pk")).order_by()
        sums = by_model.values("content_type").annotate(n=Sum("views")).values("n")
        return Coalesce(Subquery(sums), Value(0), output_field=models.BigIntegerField())

    # One statement, so one moment.
    compared = ContentType.objects.annotate(rolled=views(Rollup), total=views(HourTotal))
    for model in compared.exclude(rolled=F("total")):
        yield f"{model}: {model.rolled} views in the rollups, {model.total} in the totals"


def broken_positions() -> Iterator[str]:
    """Yield what is wrong with a partition's position. Raises LogError if the log is away."""
    log = get_log()
    for partition in Partition.objects.order_by("number"):
        position = partition.read_up_to
        if position is None:
            continue
        if position.number:
            session, seq = position.number
            mark = Mark.objects.filter(session=session, partition=partition.number).first()
            if mark and mark.seq < seq:
                yield f"partition {partition}: its mark went down, to {mark.seq} from {seq}"
        first = log.read(partition.number, None, count=1, max_bytes=1).entries
        if first and first[0].ordinal > position.ordinal > 0 and _is_still_at(partition):
            yield f"partition {partition}: trimmed above its position {partition.position}"


def _is_still_at(partition: Partition) -> bool:
    """Tell whether no flush has moved the position since it was read, and trimmed after that."""
    return Partition.objects.filter(pk=partition.pk, position=partition.position).exists()

"""Compares every counter with adjustments and rollups, or with what was counted again.

Counters and rollups may be at different positions in the store. For each target:

    counter + carried over == rollups + adjustments + views between the two positions

where the last are negative while the rollups are ahead. The boundary of a recount is a position,
too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, models
from django.db.models import Max

from footfall import sql
from footfall.events import BIGINT
from footfall.flush import project
from footfall.models import (
    VIEWS,
    Adjustment,
    Carried,
    Correcting,
    Projection,
    Recounted,
    Rollup,
    Uncounted,
    Visit,
)
from footfall.policies import Policy
from footfall.projections.policies import is_counted_by, is_stale, remark
from footfall.projections.rows import BEGINNING, HOURLY, TOTALS, name_of
from footfall.recount.counting import EPOCH, Progress
from footfall.recount.gap import Gap, Incomparable, positions
from footfall.registry import content_type_of, countable_models, counter_field, policy_of
from footfall.sql.batch import MAX_COUNTER, condition, names_of

CHUNK_SIZE = 5_000  # targets that one snapshot compares
NEAR_EVENTS = 100_000  # with more events between the positions, projections are run first


@dataclass(frozen=True)
class Difference:
    """A target whose counter is not what it should be."""

    label: str
    target: int
    counter: int
    expected: int
    source: str = field(default="rollups", compare=False)

    def __str__(self) -> str:
        said = f"{self.source} say {self.expected}"
        return f"{self.label} {self.target}: counter {self.counter}, {said}"


class OtherPolicy(Incomparable):
    """Counters are not all counted by the policy of their model: only a rebuild does that."""


def require_policy(row: Projection, policy: Policy) -> None:
    """Raise OtherPolicy, or Incomparable while they are to be counted again by themselves."""
    if not is_counted_by(row, policy):
        raise (Incomparable if is_stale(row) else OtherPolicy)(f"not compared: {remark(row)}")


def bring_close(label: str) -> None:
    """Run the projections while the positions are far apart and come closer."""

    def distance() -> int:
        found = positions(label)
        return abs(found[TOTALS].events - found[HOURLY].events) if found else 0

    before = distance()
    while before > NEAR_EVENTS:
        project(force=True)
        now = distance()
        if now >= before:
            return
        before = now


def compare(gap: Gap, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield every target of one model whose counter differs from the rollups, in the order of the
    ids. None of a model that counts by visitor: rollups do not tell it. Raises Incomparable.

    Each chunk is compared in one snapshot: projections commit before it or after it.
    """

    label = gap.label
    policy = policy_of(countable_models()[label])
    if policy.most:
        return

    def follow() -> None:
        found = positions(label)
        if row := Projection.objects.filter(name=name_of(TOTALS, label)).first():
            require_policy(row, policy)
        if policy.tells_kinds and Correcting.objects.filter(label=label, done=False).exists():
            raise Incomparable(f"{label}: not compared, a reclassification is not finished")
        gap.follow(found.get(TOTALS, BEGINNING), found.get(HOURLY, BEGINNING))

    bring_close(label)
    yield from compare_ranges(gap, Rollup, follow, progress)


def compare_ranges(
    gap: Gap,
    source: type[Rollup] | type[Recounted],
    follow: Callable[[], object],
    progress: Progress | None = None,
) -> Iterator[Difference]:
    """Yield every target that differs from `source`. follow: moves the gap, in each snapshot."""
    model = countable_models()[gap.label]
    highest = highest_id(gap.label) if progress else 0
    for after, last in ranges(model, CHUNK_SIZE):
        with sql.snapshot():
            follow()
            found = compare_range(gap, source, after, last)
        yield from found
        if progress:
            progress(gap.label, min(last, highest), highest)


def highest_id(label: str) -> int:
    return countable_models()[label]._base_manager.aggregate(n=Max("pk"))["n"] or 0


def ranges(model: type[models.Model], size: int, after: int = -1) -> Iterator[tuple[int, int]]:
    """Yield (after, last): `size` targets each, however their ids are spread."""
    ids = model._base_manager.order_by("pk").values_list("pk", flat=True)
    while (last := ids.filter(pk__gt=after)[size - 1 : size].first()) is not None:
        yield after, last
        after = last
    yield after, BIGINT - 1


def compare_range(
    gap: Gap, source: type[Rollup] | type[Recounted], after: int, last: int
) -> list[Difference]:
    """Return the targets that differ, of those with ids from `after` + 1 to `last`."""
    model = countable_models()[gap.label]
    kind, span = content_type_of(model).pk, (after, last)
    most = policy_of(model).most
    with connection.cursor() as cursor:
        arguments = [*_arguments(gap.column), *[kind, *span] * (5 if most else 3), *span]
        cursor.execute(_comparison(model, source, gap.column), arguments)
        # By id: the counter, and what it should be if there were no gap.
        rows = {int(pk): (int(n), int(expected)) for pk, n, expected in cursor.fetchall()}
    views = {target: n for target, _hour, n in gap.of_ids(after, last)}
    counter = counter_field(model).name
    equal = model._base_manager.filter(pk__in=views.keys() - rows.keys())
    rows |= {pk: (n, n) for pk, n in equal.values_list("pk", counter)}
    said_by = "rollups" if source is Rollup else "events"
    expected = {pk: min(n + views.get(pk, 0), MAX_COUNTER) for pk, (_, n) in rows.items()}
    return [
        Difference(gap.label, target, n, expected[target], said_by)
        for target, (n, _) in sorted(rows.items())
        if n != expected[target]
    ]


def _arguments(column: str) -> list[Any]:
    return [] if column == VIEWS else [connection.ops.adapt_datetimefield_value(EPOCH)]


def _comparison(
    model: type[models.Model], source: type[Rollup] | type[Recounted], column: str
) -> str:
    """column: of `ByKind`. What is of an unknown time was adopted, and is counted in any case."""
    table, key, counter = names_of(model)
    counted = VIEWS if column == VIEWS else f"CASE WHEN hour = %s THEN views ELSE {column} END"
    expected = "COALESCE(rolled.n, 0) + COALESCE(adjusted.n, 0) - COALESCE(carried.n, 0)"
    most, by_visitor = policy_of(model).most, ""
    sums = """
        SELECT target_id, SUM({}) AS n FROM {}
        WHERE content_type_id = %s AND target_id > %s AND target_id <= %s GROUP BY target_id
    """
    if most:
        expected += " - COALESCE(uncounted.n, 0) - COALESCE(repeated.n, 0)"
        repeated = sums.replace("GROUP", f"AND beside AND times > {most} GROUP")
        again = repeated.format(f"times - {most}", Visit._meta.db_table)
        by_visitor = f"""
            LEFT JOIN ({sums.format("views", Uncounted._meta.db_table)}) uncounted
                ON uncounted.target_id = target.{key}
            LEFT JOIN ({again}) repeated
                ON repeated.target_id = target.{key}
        """
    return f"""
        SELECT target.{key}, target.{counter}, {expected} FROM {table} target
        LEFT JOIN ({sums.format(counted, source._meta.db_table)}) rolled
            ON rolled.target_id = target.{key}
        LEFT JOIN ({sums.format("amount", Adjustment._meta.db_table)}) adjusted
            ON adjusted.target_id = target.{key}
        LEFT JOIN ({sums.format("views", Carried._meta.db_table)}) carried
            ON carried.target_id = target.{key}
        {by_visitor}
        WHERE target.{key} > %s AND target.{key} <= %s AND target.{counter} <> {expected}
            {condition(model)}
    """  # noqa: S608

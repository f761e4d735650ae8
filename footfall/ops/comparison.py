"""Compares every counter with its rollups, adjustments and the event store, and repairs counters.

Counters and rollups may be at different positions in the store. For each target:

    counter + carried over == rollups + adjustments + views between the two positions

where the last are negative while the rollups are ahead.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection, models, transaction
from django.db.models import Max, Sum

from footfall import sql
from footfall.cache.invalidation import invalidate
from footfall.events import BIGINT
from footfall.flush import project
from footfall.models import Adjustment, Carried, Projection, Rollup, Segment, StorePosition
from footfall.ops.adjust import InvalidAdjustment
from footfall.ops.lag import HOURLY, TOTALS
from footfall.ops.status import corrupt_segments
from footfall.projections.rows import BEGINNING, lock, name_of
from footfall.registry import content_type_of, countable_models, counter_field
from footfall.sql.batch import names_of
from footfall.store.read import PositionLost, load, segments_after
from footfall.store.views import views_of

CHUNK_SIZE = 5_000  # targets that one snapshot compares
READ_EVENTS = 100_000  # events between two positions that are listed at a time
NEAR_EVENTS = 100_000  # with more events between the positions, projections are run first
MAX_EVENTS = 2_000_000  # with more, the counters are not compared

Progress = Callable[[str, int, int], None]
"""Called with what is compared, the last id compared and the highest id."""


class Incomparable(Exception):
    """The counters of a model cannot be compared; the message says why."""


@dataclass(frozen=True)
class Difference:
    """A target whose counter is not what rollups, adjustments and event store say."""

    label: str
    target: int
    counter: int
    expected: int

    def __str__(self) -> str:
        return f"{self.label} {self.target}: counter {self.counter}, rollups say {self.expected}"


class Gap:
    """Views of one model that are in the counters and not yet in the rollups, by id.

    Negative for those that are in the rollups first. It follows the positions: however often they
    are compared, each segment is read at most once for either.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.views: Counter[int] = Counter()
        self._followed: tuple[StorePosition, ...] = ()
        """The positions of counters and rollups that `views` is right for."""

    def follow(self) -> None:
        """Follow the positions, as this transaction sees them. Raises Incomparable."""
        totals, hourly = positions(self.label)
        if self._followed and self._move(totals, hourly):
            return
        # The first time; or the last position is gone, since compaction has passed it meanwhile.
        if (events := abs(totals.events - hourly.events)) > MAX_EVENTS:
            raise Incomparable(
                f"{self.label}: not compared, counters and rollups are {events} events apart"
            )
        lower = min(totals, hourly)
        self.views, self._followed = Counter(), (lower, lower)
        if not self._move(totals, hourly):
            raise Incomparable(f"{self.label}: not compared, a position is not in the store")

    def _move(self, totals: StorePosition, hourly: StorePosition) -> bool:
        """Add what is new up to these positions; return False if a position is lost."""
        try:
            for position, end, sign in zip(self._followed, (totals, hourly), (1, -1), strict=True):
                self._add(position, end, sign)
        except PositionLost:
            return False
        self._followed = (totals, hourly)
        return True

    def _add(self, position: StorePosition, end: StorePosition, sign: int) -> None:
        """Add the views after `position`, up to `end`. Raises PositionLost."""
        while position.number < end.number and (new := segments_after(position, READ_EVENTS)):
            for segment in new:
                if position.number < end.number:
                    self._add_segment(segment, sign)
                    events = position.events + segment.events
                    position = StorePosition(segment.number, segment.key, events)
        if position[:2] != end[:2]:
            raise PositionLost(f"the store has no segment {end.number} with this key")

    def _add_segment(self, segment: Segment, sign: int) -> None:
        for viewed in views_of(load(segment)):
            for target in viewed.targets.get(self.label, ()):
                self.views[target] += sign * viewed.times
                if not self.views[target]:
                    del self.views[target]


def positions(label: str) -> tuple[StorePosition, StorePosition]:
    """Return the positions of the counters and of the rollups. Raises Incomparable."""
    names = [name_of(kind, label) for kind in (TOTALS, HOURLY)]
    found = {one.kind: one.position for one in Projection.objects.filter(name__in=names)}
    if len(found) == 1:
        raise Incomparable(f"{label}: not compared, its only projection is {min(found)}")
    return found.get(TOTALS, BEGINNING), found.get(HOURLY, BEGINNING)


def bring_close(label: str) -> None:
    """Run the projections while the positions are far apart and come closer."""

    def distance() -> int:
        totals, hourly = positions(label)
        return abs(totals.events - hourly.events)

    before = distance()
    while before > NEAR_EVENTS:
        project(force=True)
        now = distance()
        if now >= before:
            return
        before = now


def compare(gap: Gap, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield every target of one model that differs, in the order of the ids. Raises Incomparable.

    Each chunk is compared in one snapshot: projections commit before it or after it.
    """
    model = countable_models()[gap.label]
    bring_close(gap.label)
    highest = model._base_manager.aggregate(n=Max("pk"))["n"] or 0
    for after, last in _ranges(model):
        with sql.snapshot():
            gap.follow()
            found = _compare_range(model, gap, after, last)
        yield from found
        if progress:
            progress(gap.label, min(last, highest), highest)


def _ranges(model: type[models.Model]) -> Iterator[tuple[int, int]]:
    """Yield (after, last): `CHUNK_SIZE` targets each, however their ids are spread."""
    ids = model._base_manager.order_by("pk").values_list("pk", flat=True)
    after = -1
    while (last := ids.filter(pk__gt=after)[CHUNK_SIZE - 1 : CHUNK_SIZE].first()) is not None:
        yield after, last
        after = last
    yield after, BIGINT - 1


def _compare_range(model: type[models.Model], gap: Gap, after: int, last: int) -> list[Difference]:
    kind, span = content_type_of(model).pk, (after, last)
    with connection.cursor() as cursor:
        cursor.execute(_comparison(model), [*[kind, *span] * 3, *span])
        # By id: the counter, and what it should be if there were no gap.
        rows = {int(pk): (int(n), int(expected)) for pk, n, expected in cursor.fetchall()}
    views = {target: n for target, n in gap.views.items() if after < target <= last}
    counter = counter_field(model).name
    equal = model._base_manager.filter(pk__in=views.keys() - rows.keys())
    rows |= {pk: (n, n) for pk, n in equal.values_list("pk", counter)}
    return [
        Difference(gap.label, target, n, expected + views.get(target, 0))
        for target, (n, expected) in sorted(rows.items())
        if n != expected + views.get(target, 0)
    ]


def _comparison(model: type[models.Model]) -> str:
    table, key, counter = names_of(model)
    expected = "COALESCE(rolled.n, 0) + COALESCE(adjusted.n, 0) - COALESCE(carried.n, 0)"
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
        LEFT JOIN ({sums.format("views", Carried._meta.db_table)}) carried
            ON carried.target_id = target.{key}
        WHERE target.{key} > %s AND target.{key} <= %s AND target.{counter} <> {expected}
    """  # noqa: S608


def repair(difference: Difference, gap: Gap | None = None) -> int | None:
    """Set the counter to what it should be; return it, or None if the target was deleted.

    The rows of both projections are locked first, so neither moves meanwhile, then the target's.
    Raises InvalidAdjustment if that is below 0 (a counter was written directly, then reset), or if
    views would be taken away that may be in a segment that cannot be read. Raises Incomparable.
    """
    gap = gap or Gap(difference.label)
    model, pk = countable_models()[difference.label], difference.target
    counter = counter_field(model).name
    with transaction.atomic():
        lock(difference.label)
        row = sql.lock(model._base_manager.filter(pk=pk))
        present = row.values_list(counter, flat=True).first()
        if present is None:
            return None
        gap.follow()
        expected = _expected(model, pk) + gap.views[pk]
        if expected < 0:
            raise InvalidAdjustment("below 0")
        if expected < present and (corrupt := corrupt_segments()):
            numbers = ", ".join(map(str, corrupt))
            raise InvalidAdjustment(f"cannot be explained, no one can read segments {numbers}")
        model._base_manager.filter(pk=pk).update(**{counter: expected})
        invalidate(model, [pk], counter_lowered=True)
        return expected


def _expected(model: type[models.Model], pk: int) -> int:
    """Return what the counter of a target should be if there were no gap."""

    def total(table: type[models.Model], column: str) -> int:
        rows = table._default_manager.filter(content_type=content_type_of(model), target_id=pk)
        return rows.aggregate(n=Sum(column))["n"] or 0

    return total(Rollup, "views") + total(Adjustment, "amount") - total(Carried, "views")

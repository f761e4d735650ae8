"""Counters: compared with a recount, and corrected in one transaction each time.

Nothing is taken from a counter that nobody can explain: see `Explained`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models
from django.db.models import Sum

from footfall import sql
from footfall.cache.invalidation import invalidate
from footfall.models import Adjustment, Carried, Projection, Recount, Recounted, StorePosition
from footfall.projections.rows import lock, name_of
from footfall.recount.comparison import TOTALS, Difference, compare_range, compare_ranges
from footfall.recount.counting import Progress, current, locked
from footfall.recount.gap import Gap, Incomparable
from footfall.registry import content_type_of, countable_models, counter_field
from footfall.sql.batch import MAX_COUNTER
from footfall.store.read import is_known

BEFORE = (Projection.Counted.YES, Projection.Counted.UNKNOWN)


class Corrected(NamedTuple):
    """What was done about one counter."""

    target: int
    before: int
    after: int
    refused: str = ""
    """Why it was left as it was."""


class Explained(NamedTuple):
    """What a counter should be, and whether base, events or adjustments know the target."""

    views: int
    is_known: bool


@dataclass
class Counters:
    """The counters of one model, beside its recount."""

    recount: Recount
    gap: Gap = field(init=False)

    def __post_init__(self) -> None:
        self.gap = Gap(self.recount.label)

    @property
    def model(self) -> type[models.Model]:
        return countable_models()[self.recount.label]

    @property
    def unread(self) -> list[int]:
        """Numbers of the segments that could not be read, or are missing."""
        return sorted({*self.recount.corrupt, *self.gap.unread})

    def compare(self, progress: Progress | None = None) -> Iterator[Difference]:
        """Yield every counter that differs, each chunk seen at one moment. Raises Incomparable."""

        def follow() -> None:
            self.recount = current(self.recount)
            row = Projection.objects.filter(name=name_of(TOTALS, self.recount.label)).first()
            self._follow(row.position if row else None)

        yield from compare_ranges(self.gap, Recounted, follow, progress)

    def differing(self, after: int, last: int) -> list[int]:
        """Return the ids that differ, in a transaction in which they are `lock`ed."""
        return [one.target for one in compare_range(self.gap, Recounted, after, last)]

    def lock(self) -> Projection | None:
        """Lock the projection and the recount in this transaction. Raises Incomparable.

        No view of the model is counted until it ends.
        """
        rows = lock(self.recount.label, [TOTALS])
        self.recount = locked(self.recount)
        row = rows[0] if rows else None
        if row and self.recount.is_lost and is_known(row.position):
            raise Incomparable(f"{row} has found its position again: begin once more")
        self._follow(row.position if row else None)
        return row

    def _follow(self, position: StorePosition | None) -> None:
        boundary = self.recount.boundary
        is_lost = self.recount.is_lost or position is None
        self.gap.follow(boundary if is_lost or position is None else position, boundary)

    def correct(self, row: Projection | None, ids: Collection[int]) -> list[Corrected]:
        """Set counters to what they should be, after `lock`; leave out those that are locked.

        Those that another transaction has locked, or that are gone, are not in the result.
        """
        free = sql.lock_free(self.model, ids)
        counter = counter_field(self.model).name
        present = dict(self.model._base_manager.filter(pk__in=free).values_list("pk", counter))
        explained = self.explain(present)
        done = []
        for target, before in sorted(present.items()):
            after = explained[target].views
            refused = self._refusal(row, before, explained[target])
            done.append(Corrected(target, before, before if refused else after, refused))
        new = {one.target: one.after for one in done if one.after != one.before}
        sql.set_counts(self.model, new)
        invalidate(self.model, sorted(new), counter_lowered=True)
        return done

    def explain(self, ids: Collection[int]) -> Mapping[int, Explained]:
        """Return what counters should be, at the position that was followed last."""

        def sums(table: type[models.Model], column: str) -> dict[int, int]:
            rows = table._default_manager.filter(
                content_type=content_type_of(self.model), target_id__in=ids
            )
            return dict(rows.order_by().values_list("target_id").annotate(Sum(column)))

        recounted, adjusted = sums(Recounted, "views"), sums(Adjustment, "amount")
        carried = sums(Carried, "views")
        found = {}
        for target in ids:
            gap = self.gap.views[target, 0]
            views = recounted.get(target, 0) + gap + adjusted.get(target, 0)
            views -= carried.get(target, 0)
            known = target in recounted or target in adjusted or gap != 0
            found[target] = Explained(min(views, MAX_COUNTER), known)
        return found

    def _refusal(self, row: Projection | None, before: int, explained: Explained) -> str:
        """Return why a counter must stay as it is; empty if it can be set."""
        if explained.views < 0:
            return "below 0"
        if explained.views >= before:
            return ""
        if self.unread:
            numbers = ", ".join(map(str, self.unread[:20]))
            return f"cannot be explained, no one can read segments {numbers}"
        if not explained.is_known or (row and row.counted_before in BEFORE):
            label = self.recount.label
            return f"nothing explains the rest; `counters adopt {label}` keeps it"
        return ""

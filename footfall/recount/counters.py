"""Counters: compared with a recount, and corrected in one transaction each time.

Nothing is taken from a counter that nothing explains: see `Explained`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Case, F, Sum, When

from footfall import sql
from footfall.cache.invalidation import invalidate
from footfall.models import (
    VIEWS,
    Adjustment,
    Carried,
    Projection,
    Recounted,
    Uncounted,
    Visit,
)
from footfall.projections.kept.rows import note_change
from footfall.projections.rows import TOTALS
from footfall.recount.beside import BesideRecount
from footfall.recount.comparison import (
    Difference,
    compare_range,
    compare_ranges,
    require_policy,
)
from footfall.recount.counting import EPOCH, Progress, require_verdicts
from footfall.registry import content_type_of, counter_field, policy_of
from footfall.sql.batch import MAX_COUNTER

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


class Counters(BesideRecount):
    """The counters of one model, beside its recount."""

    kind = TOTALS

    def _follow(self, row: Projection | None) -> None:
        """Raises Incomparable; OtherPolicy if they are not counted by the model's policy."""
        super()._follow(row)
        policy = policy_of(self.model)
        if row:
            require_policy(row, policy)
        if policy.tells_kinds:
            require_verdicts(self.recount, self.gap.verdicts.version)

    def compare(self, progress: Progress | None = None) -> Iterator[Difference]:
        """Yield every counter that differs, each chunk seen at one moment. Raises Incomparable."""
        yield from compare_ranges(self.gap, Recounted, self.follow_current, progress)

    def differing(self, after: int, last: int) -> list[int]:
        """Return the ids that differ, in a transaction in which they are `lock`ed."""
        return [one.target for one in compare_range(self.gap, Recounted, after, last)]

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
        if new:
            note_change(self.model)
        sql.set_counts(self.model, new)
        invalidate(self.model, sorted(new), counter_lowered=True)
        return done

    def explain(self, ids: Collection[int]) -> Mapping[int, Explained]:
        """Return what counters should be, at the position that was followed last."""

        def sums(table: type[models.Model], column: Any) -> dict[int, int]:
            rows = table._default_manager.filter(
                content_type=content_type_of(self.model), target_id__in=ids
            )
            return dict(rows.order_by().values_list("target_id").annotate(n=Sum(column)))

        counted = Case(When(hour=EPOCH, then=VIEWS), default=self.gap.column)
        recounted, adjusted = sums(Recounted, counted), sums(Adjustment, "amount")
        carried = sums(Carried, "views")
        uncounted: Counter[int] = Counter()
        if most := policy_of(self.model).most:
            uncounted.update(sums(Uncounted, "views"))
            rows = Visit.objects.filter(
                content_type=content_type_of(self.model),
                beside=True,
                times__gt=most,
                target_id__in=ids,
            )
            repeated = rows.order_by().values_list("target_id").annotate(n=Sum(F("times") - most))
            uncounted.update(dict(repeated))
        found, others = {}, self.gap.others
        for target in ids:
            gap = self.gap.views[target, 0]
            views = recounted.get(target, 0) + gap + adjusted.get(target, 0)
            views -= carried.get(target, 0) + uncounted[target]
            known = target in recounted or target in adjusted or gap != 0 or target in others
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

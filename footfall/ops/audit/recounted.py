"""The part of an audit that counts everything again."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.db import Error

from footfall.models import Audit, Projection, Recount, StorePosition
from footfall.projections.copies import copied_labels, differing
from footfall.projections.kept.rows import forget_deleted, keep_counted
from footfall.projections.rows import TOTALS, VISITORS, name_of
from footfall.reclassify.past import resume
from footfall.recount.comparison import Difference, OtherPolicy, bring_close
from footfall.recount.counters import Counters
from footfall.recount.counting import Progress, finish, run, take
from footfall.recount.gap import Incomparable
from footfall.recount.repair import NotRepaired, repair_counter, repair_rollups, repair_totals
from footfall.recount.rollups import Rollups
from footfall.registry import countable_models
from footfall.sql import LockTimeout
from footfall.store.read import is_known, store_head

MAX_NUMBERS = 20


@dataclass
class Recounted:
    """Counts all models again, and compares counters and rollups with that."""

    audit: Audit
    repairs: bool
    progress: Progress | None

    def findings(self) -> Iterator[str]:
        """Yield a line for everything that differs, or that cannot be known."""
        resume()
        labels: list[str] = []
        taken: list[Recount] = []
        for label in sorted(countable_models()):
            yield from self._begin(label, labels)
        yield from self._take(labels, taken)
        try:
            rows = run(taken, self.progress)
        except Incomparable as reason:
            yield self._broken(reason)
            return
        for row in rows:
            for part in (self._counters, self._rollups):
                try:
                    yield from part(row)
                except OtherPolicy as reason:  # a decision, and nothing wrong
                    yield str(reason)
                except Incomparable as reason:
                    yield self._broken(reason)
            with suppress(Incomparable):
                finish(row)
        for label in copied_labels():
            yield from self._copies(label)

    def _begin(self, label: str, labels: list[str]) -> Iterator[str]:
        """Add the label of a model that can be compared to `labels`."""
        model = countable_models()[label]
        try:
            keep_counted(model)
            if self.repairs:
                forget_deleted(model)
        except Error as error:
            yield self._away(label, error)
        try:
            bring_close(label)
            labels.append(label)
        except Incomparable as reason:
            yield self._broken(reason)

    def _take(self, labels: list[str], taken: list[Recount]) -> Iterator[str]:
        boundary = _boundary()
        for label in labels:
            try:
                taken.append(take(label, Recount.Kind.AUDIT, boundary))
            except Incomparable as reason:
                yield self._broken(reason)

    def _broken(self, reason: object) -> str:
        self.audit.broken += 1
        return str(reason)

    def _away(self, label: str, error: Exception) -> str:
        return self._broken(f"{label}: not compared, {type(error).__name__}: {str(error).strip()}")

    def _copies(self, label: str) -> Iterator[str]:
        """Compare the columns of a model with the counters that were copied into them."""
        try:
            for key, column, counter in differing(label, repair=self.repairs):
                self.audit.differences += 1
                said = f"{label} {key}: column {column}, its counter is {counter}"
                yield f"{said}; set to it" if self.repairs else said
        except (LockTimeout, Error) as error:
            yield self._away(label, error)

    def _counters(self, row: Recount) -> Iterator[str]:
        counters = Counters(row)
        above = unexplained = 0
        for difference in counters.compare(self.progress):
            above += difference.counter > difference.expected
            if counters.unread and difference.counter > difference.expected:
                unexplained += 1
                continue
            self.audit.differences += 1
            yield f"{difference}{self._repaired(counters, difference) if self.repairs else ''}"
        if unexplained:  # the segments are counted as broken by themselves
            numbers = ", ".join(map(str, counters.unread[:MAX_NUMBERS]))
            yield (
                f"{row.label}: segments {numbers} cannot be read; {unexplained} counters are higher"
                " than what is left says, which may be right"
            )
        is_unknown = counters.row and counters.row.counted_before == Projection.Counted.UNKNOWN
        if is_unknown and not above and not counters.unread:
            _note_explained(row.label)

    def _repaired(self, counters: Counters, difference: Difference) -> str:
        try:
            expected = repair_counter(counters, difference.target, self.audit)
        except NotRepaired as reason:
            self.audit.repaired = False
            return f"; not repaired: {reason}"
        return "; deleted meanwhile" if expected is None else f"; set to {expected}"

    def _rollups(self, row: Recount) -> Iterator[str]:
        rollups = Rollups(row)
        for wrong in rollups.compare(self.progress):
            if rollups.unread and wrong.views > 0:
                continue  # said already: what is less is not known
            line = wrong.text(row.label)
            if not self.repairs:
                yield self._broken(line)
                continue
            try:
                repair_rollups(rollups, wrong)
            except NotRepaired as reason:
                yield self._broken(f"{line}; not repaired: {reason}")
            else:
                yield f"{line}; repaired"
        if self.repairs and (days := repair_totals(rollups)):
            yield f"{row.label}: the hourly totals of {days} days were set to their rollups"


def _boundary() -> StorePosition:
    """Return the lowest position of the projections: there is the least to count twice."""
    rows = Projection.objects.exclude(name__startswith=name_of(VISITORS, ""))
    there = {row.position for row in rows if row.label in countable_models()}
    return min(filter(is_known, there), default=None) or store_head().position


def _note_explained(label: str) -> None:
    """No counter is higher than it should be: so there was nothing when the counting began."""
    rows = Projection.objects.filter(name=name_of(TOTALS, label))
    rows.filter(counted_before=Projection.Counted.UNKNOWN).update(
        counted_before=Projection.Counted.NO
    )

"""The new events that projections apply: those of consecutive segments, summed up once for all."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain

from footfall.events import keys_in
from footfall.models import COLUMNS, VIEWS, StorePosition
from footfall.sql import rows_per_transaction
from footfall.store.read import load, segments_after
from footfall.store.views import Summed
from footfall.store.visits import Visits
from footfall.verdicts import current


@dataclass
class Batch(Summed):
    """The events after `position`, up to `until`. Empty if these are the same."""

    position: StorePosition
    until: StorePosition
    since: int = 0
    """When the earliest event happened: milliseconds since 1970."""
    verdicts: int | None = None
    """The version of the verdicts that tell kinds of agents; None: they are not told."""
    visits: Visits = field(default_factory=Visits)
    """Of the models that count by visitor."""

    @property
    def labels(self) -> Collection[str]:
        """Return the labels of the models that were viewed."""
        of_hours = (of_hour.values() for of_hour in self.alike.values())
        return set().union(*(some.targets for some in chain.from_iterable(of_hours)))

    def totals(self, label: str, column: str = VIEWS) -> Mapping[int, int]:
        """Return the views of a column of `ByKind`, by id. Most batches are of one hour."""
        if column != VIEWS:
            return self._of_kind(label, COLUMNS.index(column))
        first, *others = self.hours.get(label, {0: {}}).values()
        if not others:
            return first
        totals = dict(first)
        for views in others:
            for target, times in views.items():
                totals[target] = totals.get(target, 0) + times
        return totals

    def _of_kind(self, label: str, place: int) -> Mapping[int, int]:
        totals: Counter[int] = Counter()
        for _hour, target, numbers in self.views(label).rows():
            totals[target] += numbers[place]
        return +totals

    def keys(self, label: str) -> dict[int, str]:
        """Return the keys of which ids of a model are hashes, as far as the events tell them."""
        found: dict[int, str] = {}
        for body in {body for of_hour in self.alike.values() for body in of_hour}:
            found.update(keys_in(body).get(label, {}))
        return found

    def masks(self, label: str) -> dict[int, int]:
        """Return the partitions from which targets were viewed, by id: a bit for each."""
        masks: dict[int, int] = {}
        for of_hour in self.alike.values():
            for targets, _, mask in of_hour.values():
                for target in targets.get(label, ()):
                    masks[target] = masks.get(target, 0) | mask
        return masks


def read_batch(position: StorePosition, max_events: int, *, kinds: bool = False) -> Batch:
    """Read about `max_events` events after `position`, less if they name very many targets:
    so many rows are locked at once. kinds: of agents are told, too.

    Raises PositionLost.
    """
    verdicts = current() if kinds else None
    batch = Batch(position, position, verdicts=verdicts.version if verdicts else None)
    most = rows_per_transaction()
    for segment in segments_after(position, max_events):
        events = load(segment)
        batch.add(events, verdicts)
        batch.visits.add(events)
        # It did not happen after it was stored, whatever its web server's clock says.
        first_at = min(segment.first_at, int(segment.stored_at.timestamp() * 1000))
        batch.since = min(batch.since or first_at, first_at)
        counted = batch.until.events + segment.events
        batch.until = StorePosition(segment.number, segment.key, counted)
        if max(batch.rows, batch.visits.rows) >= most:
            break
    return batch

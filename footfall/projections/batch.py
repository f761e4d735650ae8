"""The new events that projections apply: those of consecutive segments, summed up once for all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from footfall.models import StorePosition
from footfall.projections.views import Viewed, views_of
from footfall.store.read import load, segments_after

MAX_VIEWED = 1_000_000
"""Ids in the distinct events of a batch, after which no further segment is read: a bound of memory,
about 200 MB."""

Hours = Mapping[int, Mapping[int, int]]
"""By hour since 1970, then by id: views."""


@dataclass
class Batch:
    """The events after `position`, up to `until`. Empty if these are the same."""

    position: StorePosition
    until: StorePosition
    views: list[Viewed] = field(default_factory=list)
    since: int = 0
    """When the earliest event happened: milliseconds since 1970."""

    @cached_property
    def hours(self) -> Mapping[str, Hours]:
        """By label, then as in `Hours`."""
        hours: dict[str, dict[int, dict[int, int]]] = {}
        for targets, hour, times, _ in self.views:
            for label, ids in targets.items():
                views = hours.setdefault(label, {}).setdefault(hour, {})
                for target in ids:
                    views[target] = views.get(target, 0) + times
        return hours

    def totals(self, label: str) -> Mapping[int, int]:
        """Return the views by id. Most batches are of one hour."""
        first, *others = self.hours.get(label, {0: {}}).values()
        if not others:
            return first
        totals = dict(first)
        for views in others:
            for target, count in views.items():
                totals[target] = totals.get(target, 0) + count
        return totals

    def masks(self, label: str) -> dict[int, int]:
        """Return the partitions from which targets were viewed, by id: a bit for each."""
        masks: dict[int, int] = {}
        for targets, _, _, partition in self.views:
            bit = 1 << partition
            for target in targets.get(label, ()):
                masks[target] = masks.get(target, 0) | bit
        return masks


def read_batch(position: StorePosition, max_events: int) -> Batch:
    """Read about `max_events` events after `position`, less if they name very many targets.

    Raises PositionLost.
    """
    batch = Batch(position, position)
    viewed = 0
    for segment in segments_after(position, max_events):
        views = list(views_of(load(segment)))
        batch.views += views
        batch.since = min(batch.since or segment.first_at, segment.first_at)
        events = batch.until.events + segment.events
        batch.until = StorePosition(segment.number, segment.key, events)
        viewed += sum(len(ids) for view in views for ids in view.targets.values())
        if viewed >= MAX_VIEWED:
            break
    return batch

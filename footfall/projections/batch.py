"""The new events that projections apply: those of consecutive segments, summed up once for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from footfall.events import decode
from footfall.models import StorePosition
from footfall.projections.views import views_of
from footfall.sql import rows_per_transaction
from footfall.store.read import load, segments_after
from footfall.store.segment import Events

Hours = Mapping[int, Mapping[int, int]]
"""By hour since 1970, then by id: views."""


class Alike(NamedTuple):
    """Events with the same targets in the same hour."""

    targets: Mapping[str, Sequence[int]]
    times: int
    mask: int
    """The partitions from which they came: a bit for each."""


@dataclass
class Batch:
    """The events after `position`, up to `until`. Empty if these are the same."""

    position: StorePosition
    until: StorePosition
    since: int = 0
    """When the earliest event happened: milliseconds since 1970."""
    rows: int = 0
    """Targets of different events."""
    alike: dict[int, dict[bytes, Alike]] = field(default_factory=dict)
    """By hour since 1970, then by body."""

    decoded: dict[bytes, dict[str, list[int]]] = field(default_factory=dict)
    """Targets by body."""

    def add(self, events: Events) -> None:
        if "targets" not in vars(events):  # else ingest has decoded them, in this process
            events.targets = [self._decode(body) for body in events.bodies]
        for body, targets, hour, times, partition in views_of(events):
            of_hour = self.alike.setdefault(hour, {})
            mask = 1 << partition
            if known := of_hour.get(body):
                of_hour[body] = Alike(targets, known.times + times, known.mask | mask)
            else:
                of_hour[body] = Alike(targets, times, mask)
                self.rows += sum(map(len, targets.values()))

    def _decode(self, body: bytes) -> dict[str, list[int]]:
        """Decode a body once, in however many segments it is."""
        targets = self.decoded.get(body)
        if targets is None:
            targets = self.decoded[body] = decode(body)
        return targets

    @cached_property
    def hours(self) -> Mapping[str, Hours]:
        """By label, then as in `Hours`."""
        hours: dict[str, dict[int, dict[int, int]]] = {}
        for hour, of_hour in self.alike.items():
            for targets, times, _ in of_hour.values():
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
            for target, times in views.items():
                totals[target] = totals.get(target, 0) + times
        return totals

    def masks(self, label: str) -> dict[int, int]:
        """Return the partitions from which targets were viewed, by id: a bit for each."""
        masks: dict[int, int] = {}
        for of_hour in self.alike.values():
            for targets, _, mask in of_hour.values():
                for target in targets.get(label, ()):
                    masks[target] = masks.get(target, 0) | mask
        return masks


def read_batch(position: StorePosition, max_events: int) -> Batch:
    """Read about `max_events` events after `position`, less if they name very many targets:
    so many rows are locked at once.

    Raises PositionLost.
    """
    batch = Batch(position, position)
    most = rows_per_transaction()
    for segment in segments_after(position, max_events):
        batch.add(load(segment))
        # It did not happen after it was stored, whatever its web server's clock says.
        first_at = min(segment.first_at, int(segment.stored_at.timestamp() * 1000))
        batch.since = min(batch.since or first_at, first_at)
        events = batch.until.events + segment.events
        batch.until = StorePosition(segment.number, segment.key, events)
        if batch.rows >= most:
            break
    return batch

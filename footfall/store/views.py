"""From stored events to what is added up: views by model, hour and id."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from footfall.events import decode
from footfall.store.segment import Events

Hours = Mapping[int, Mapping[int, int]]
"""By hour since 1970, then by id: views."""

HOUR = 3_600_000  # milliseconds


class Viewed(NamedTuple):
    """Events with the same targets in the same hour, from one partition."""

    body: bytes
    """The same for the same targets."""
    targets: Mapping[str, Sequence[int]]
    """Ids by label."""
    hour: int
    """Since 1970."""
    times: int
    """How many events."""
    partition: int


def views_of(events: Events) -> Iterator[Viewed]:
    """Yield what was viewed. Most runs are of one hour, and there the events are counted alone."""
    bodies, targets = events.bodies, events.targets
    start = 0
    for run in events.runs:
        end = start + run.events
        body, at = events.body[start:end], events.at[start:end]
        start = end
        first, last = min(at) // HOUR, max(at) // HOUR
        if first == last:
            for index, count in Counter(body).items():
                yield Viewed(bodies[index], targets[index], first, count, run.partition)
        else:
            alike = Counter(zip(body, [one // HOUR for one in at], strict=True))
            for (index, hour), count in alike.items():
                yield Viewed(bodies[index], targets[index], hour, count, run.partition)


class Alike(NamedTuple):
    """Events with the same targets in the same hour."""

    targets: Mapping[str, Sequence[int]]
    times: int
    mask: int
    """The partitions from which they came: a bit for each."""


@dataclass
class Summed:
    """Events, summed up: first by body, and by id only once they are asked for."""

    rows: int = field(default=0, init=False)
    """Targets of different events."""
    alike: dict[int, dict[bytes, Alike]] = field(default_factory=dict, init=False)
    """By hour since 1970, then by body."""
    decoded: dict[bytes, dict[str, list[int]]] = field(default_factory=dict, init=False)
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

"""From stored events to what is added up: views by model, hour and id."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from operator import add
from typing import NamedTuple

from footfall.events import decode
from footfall.models import Kind
from footfall.sql.batch import NO_KIND, Hours, Views
from footfall.store.segment import Events
from footfall.verdicts import Kinds, Verdicts

HOUR = 3_600_000  # milliseconds


class Viewed(NamedTuple):
    """Events with the same targets in the same hour, from one partition and one kind of agent."""

    body: bytes
    """The same for the same targets."""
    targets: Mapping[str, Sequence[int]]
    """Ids by label."""
    hour: int
    """Since 1970."""
    times: int
    """How many events."""
    partition: int
    kind: int = Kind.UNKNOWN


def views_of(events: Events, kinds: Kinds | None = None) -> Iterator[Viewed]:
    """Yield what was viewed, and by which kinds of agents if these are given.

    Most runs are of one hour; there, events of unknown kind are counted alone.
    """
    bodies, targets = events.bodies, events.targets
    start = 0
    for run in events.runs:
        end = start + run.events
        body, at, meta = events.body[start:end], events.at[start:end], events.meta[start:end]
        start = end
        first, last = min(at) // HOUR, max(at) // HOUR
        if first == last and kinds is None:
            for index, count in Counter(body).items():
                yield Viewed(bodies[index], targets[index], first, count, run.partition)
            continue
        of_events = kinds.of_events(meta, at) if kinds else repeat(Kind.UNKNOWN)
        if first == last:  # not strict: what is the same for all of them is repeated for ever
            for (index, kind), count in Counter(zip(body, of_events, strict=False)).items():
                yield Viewed(bodies[index], targets[index], first, count, run.partition, kind)
        else:
            hours = [one // HOUR for one in at]
            for (index, hour, kind), count in Counter(
                zip(body, hours, of_events, strict=False)
            ).items():
                yield Viewed(bodies[index], targets[index], hour, count, run.partition, kind)


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
    """By hour since 1970, then by body: of all kinds."""
    kinds: dict[int, dict[bytes, list[int]]] = field(default_factory=dict, init=False)
    """How many events of each of KIND_COLUMNS: by hour, then by body; of those that have some."""
    decoded: dict[bytes, dict[str, list[int]]] = field(default_factory=dict, init=False)
    """Targets by body."""

    def add(self, events: Events, verdicts: Verdicts | None = None) -> None:
        """Add events. verdicts: tell their kinds, too."""
        if "targets" not in vars(events):  # else ingest has decoded them, in this process
            events.targets = [self._decode(body) for body in events.bodies]
        kinds = verdicts.of(events.metas) if verdicts else None
        for body, targets, hour, times, partition, kind in views_of(events, kinds):
            if kind:
                of_kinds = self.kinds.setdefault(hour, {})
                if body not in of_kinds:
                    of_kinds[body] = [*NO_KIND]
                of_kinds[body][kind - 1] += times
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

    @cached_property
    def _of_kinds(self) -> Mapping[str, Mapping[int, Mapping[int, Sequence[int]]]]:
        """By label, then as in `Views`."""
        found: dict[str, dict[int, dict[int, Sequence[int]]]] = {}
        for hour, bodies in self.kinds.items():
            for body, numbers in bodies.items():
                for label, ids in self.alike[hour][body].targets.items():
                    of_hour = found.setdefault(label, {}).setdefault(hour, {})
                    for target in ids:
                        known = of_hour.get(target)
                        # Mostly a target is viewed with the same others.
                        of_hour[target] = list(map(add, known, numbers)) if known else numbers
        return found

    def views(self, label: str) -> Views:
        """Return the views of one model, and which of them are of known kinds."""
        return Views(self.hours.get(label, {}), self._of_kinds.get(label, {}))

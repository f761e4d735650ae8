"""From stored events to what is added up: views by model, hour and id."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, compress, repeat
from operator import add
from typing import NamedTuple

from footfall.events import decode
from footfall.models import KIND_COLUMNS, Kind
from footfall.sql.batch import NO_KIND, Group, Hours, Views
from footfall.store.segment import Events
from footfall.verdicts import Kinds, Verdicts

HOUR = 3_600_000  # milliseconds
IS = {kind: bytes(number == kind for number in range(256)) for kind in Kind}
"""Translate kinds to whether each is this one."""


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


class Counted(NamedTuple):
    """Events of one hour and partition, by index of their body."""

    hour: int
    """Since 1970."""
    partition: int
    every: Mapping[int, int]
    """How many events."""
    of_kinds: Mapping[Kind, Mapping[int, int]]
    """How many by each known kind of agent that some have."""


def counted(events: Events, kinds: Kinds | None = None) -> Iterator[Counted]:
    """Count events by what was viewed; by kinds, too, if these are given.

    Each kind is counted alone: that takes less time than counting pairs.
    """
    start = 0
    for run in events.runs:
        end = start + run.events
        # A list: an array makes its numbers anew each time that it is counted.
        body, at, meta = list(events.body[start:end]), events.at[start:end], events.meta[start:end]
        start = end
        of_events = kinds.of_events(meta, at) if kinds else b""
        for hour, places in _by_hour(at):
            of_hour, some = body, of_events
            if places:
                of_hour, some = list(compress(body, places)), bytes(compress(of_events, places))
            every = Counter(of_hour)
            yield Counted(hour, run.partition, every, _by_kind(of_hour, some, every))


def _by_kind(
    body: Sequence[int], kinds: bytes, every: Mapping[int, int]
) -> Mapping[Kind, Mapping[int, int]]:
    """Count events of each known kind; those of the most frequent one are what others leave."""
    counts = {kind: times for kind in Kind if (times := kinds.count(kind))}
    if not counts:
        return {}
    if len(every) == 1:
        known = ((kind, times) for kind, times in counts.items() if kind != Kind.UNKNOWN)
        return {kind: dict.fromkeys(every, times) for kind, times in known}
    most = max(counts, key=counts.__getitem__)
    others = (kind for kind in counts if kind != most)
    found = {kind: Counter(compress(body, kinds.translate(IS[kind]))) for kind in others}
    left = dict(every)
    for index, times in chain.from_iterable(of_kind.items() for of_kind in found.values()):
        left[index] -= times
    found[most] = Counter({index: times for index, times in left.items() if times})
    found.pop(Kind.UNKNOWN, None)
    return found


def _by_hour(at: Sequence[int]) -> Iterator[tuple[int, Sequence[bool]]]:
    """Yield each hour since 1970, and which events are of it; mostly all are: then no list."""
    first, last = min(at) // HOUR, max(at) // HOUR
    if first == last:
        yield first, ()
        return
    hours = [one // HOUR for one in at]
    for hour in sorted({*hours}):
        yield hour, [one == hour for one in hours]


def views_of(events: Events, kinds: Kinds | None = None) -> Iterator[Viewed]:
    """Yield what was viewed, and by which kinds of agents if these are given."""
    for hour, partition, every, of_kinds in counted(events, kinds):
        for index, times in every.items():
            body, targets, unknown = events.bodies[index], events.targets[index], times
            for kind, counts in of_kinds.items():
                if count := counts.get(index, 0):
                    unknown -= count
                    yield Viewed(body, targets, hour, count, partition, kind)
            if unknown:
                yield Viewed(body, targets, hour, unknown, partition)


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
    kinds: dict[int, dict[bytes, Sequence[int]]] = field(default_factory=dict, init=False)
    """How many events of each of KIND_COLUMNS: by hour, then by body; of those that have some."""
    decoded: dict[bytes, dict[str, list[int]]] = field(default_factory=dict, init=False)
    """Targets by body."""

    def add(self, events: Events, verdicts: Verdicts | None = None) -> None:
        """Add events. verdicts: tell their kinds, too."""
        if "targets" not in vars(events):  # else ingest has decoded them, in this process
            events.targets = [self._decode(body) for body in events.bodies]
        kinds = verdicts.of(events.metas) if verdicts else None
        for some in counted(events, kinds):
            self._add_all(events, some)
            if some.of_kinds:
                self._add_kinds(events, some)

    def _add_all(self, events: Events, some: Counted) -> None:
        of_hour, mask = self.alike.setdefault(some.hour, {}), 1 << some.partition
        for index, times in some.every.items():
            body = events.bodies[index]
            if known := of_hour.get(body):
                of_hour[body] = Alike(known.targets, known.times + times, known.mask | mask)
            else:
                targets = events.targets[index]
                of_hour[body] = Alike(targets, times, mask)
                self.rows += sum(map(len, targets.values()))

    def _add_kinds(self, events: Events, some: Counted) -> None:
        of_hour = self.kinds.setdefault(some.hour, {})
        indexes = list(set().union(*some.of_kinds.values()))
        columns = (some.of_kinds.get(kind, {}) for kind in KIND_COLUMNS)
        rows = zip(*(map(one.get, indexes, repeat(0)) for one in columns), strict=True)
        for index, numbers in zip(indexes, rows, strict=True):
            body = events.bodies[index]
            known = of_hour.get(body)
            of_hour[body] = tuple(map(add, known, numbers)) if known else numbers

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
                        of_hour[target] = tuple(map(add, known, numbers)) if known else numbers
        return found

    def groups(self, label: str) -> Iterator[Group]:
        """Yield the targets of one model by what they have in common: mostly those of a page."""
        for hour, bodies in self.alike.items():
            kinds = self.kinds.get(hour, {})
            found = [
                Group(hour, alike.targets[label], (alike.times, *kinds.get(body, NO_KIND)))
                for body, alike in bodies.items()
                if label in alike.targets
            ]
            yield from _apart(found)

    def views(self, label: str) -> Views:
        """Return the views of one model, and which of them are of known kinds."""
        return Views(self.hours.get(label, {}), self._of_kinds.get(label, {}))


def _apart(groups: Sequence[Group]) -> Iterator[Group]:
    """Yield these groups of one hour, and what is in several of them by itself."""
    ids = [group.ids for group in groups]
    if len(set().union(*ids)) == sum(map(len, ids)):
        yield from groups
        return
    several = {target for target, n in Counter(chain.from_iterable(ids)).items() if n > 1}
    sums: dict[int, Sequence[int]] = {}
    for group in groups:
        for target in several.intersection(group.ids):
            known = sums.get(target)
            sums[target] = tuple(map(add, known, group.numbers)) if known else group.numbers
        if others := [target for target in group.ids if target not in several]:
            yield group._replace(ids=others)
    for target, numbers in sums.items():
        yield Group(groups[0].hour, [target], numbers)

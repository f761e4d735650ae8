"""The projection `visitors`: the people who viewed each target on each day, and all of a model.

It applies events every few minutes: each time it writes the sketches of all that was viewed
meanwhile. An event counts if its agent is a person and it says which visitor it was. Days are UTC,
by the time of the event. A union is idempotent: an event that is taken twice changes nothing.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import repeat
from typing import NamedTuple, Self

from django.db import models

from footfall import sql
from footfall.common.chunks import chunks
from footfall.common.failpoints import failpoint
from footfall.events import decode, places_of
from footfall.models import Correction, Kind, StorePosition, VisitorRecount, VisitorSketch
from footfall.projections.rows import VISITORS, claim, move
from footfall.projections.visitors.sketches import BITS, Damaged, Sketch
from footfall.registry import content_type_of, countable_models
from footfall.sql import rows_per_transaction
from footfall.store.read import load, segments_after
from footfall.store.segment import Events
from footfall.verdicts import Verdicts, current, present_version

logger = logging.getLogger(__name__)

MAX_EVENTS = 200_000
"""Events that are in memory at once: 100 bytes for each different visitor of a body, twice."""
CHUNK_SIZE = 2_000
"""Sketches that are in memory at once, encoded: 13 kB each at most."""
ROWS_PER_STATEMENT = 500
ALL = 0
"""The target id of all targets of a model together. Events cannot have it."""
BEGINNING = date(1970, 1, 1)
DAY = 86_400_000  # milliseconds
PLACES = places_of("visitor")


@dataclass
class Visits:
    """Who viewed what in the events after `position`, up to `until`."""

    position: StorePosition
    until: StorePosition
    verdicts: Verdicts
    people: dict[int, dict[bytes, set[int]]] = field(default_factory=dict)
    """Visitors, as `sketches.shortened` returns them, by day since 1970 and then by body."""
    targets: dict[bytes, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    """Ids by label, of each body."""

    rows: int = 0
    """About how many sketches are to be written."""

    @property
    def labels(self) -> Collection[str]:
        """Return the labels of the models that people viewed."""
        return {label for targets in self.targets.values() for label in targets}

    def add(self, events: Events, days: Collection[int] | None = None) -> None:
        """Add the people in these events. days: leave out others, as days since 1970."""
        kinds = self.verdicts.of(events.metas)
        if kinds is None:
            return
        visitors = [visitor_of(meta) for meta in events.metas]
        first, last = min(events.at) // DAY, max(events.at) // DAY
        of_events = repeat(first) if first == last else (at // DAY for at in events.at)
        # Not strict: a day that is the same for all of them is repeated for ever.
        columns = (events.body, events.meta, of_events, kinds.of_events(events.meta, events.at))
        for index, meta, day, kind in set(zip(*columns, strict=False)):
            visitor = visitors[meta]
            if kind == Kind.PERSON and visitor is not None and (days is None or day in days):
                self._people(day, events.bodies[index]).add(visitor)

    def _people(self, day: int, body: bytes) -> set[int]:
        """Return the set of those who viewed a body on a day."""
        bodies = self.people.setdefault(day, {})
        found = bodies.get(body)
        if found is None:
            found = bodies[body] = set()
            targets = self.targets.get(body)
            if targets is None:
                targets = self.targets[body] = decode(body)
            self.rows += sum(map(len, targets.values()))
        return found


def visitor_of(meta: bytes) -> int | None:
    """Return the visitor in metadata, as `sketches.shortened` does; None if there is none."""
    visitor = meta[PLACES[meta[0]]] if meta else b""
    return int.from_bytes(visitor[: BITS // 8], "big") if visitor else None


def read_visits(position: StorePosition, max_events: int) -> Visits:
    """Read about `max_events` events after `position`, MAX_EVENTS at most, or less if they name
    very many targets.

    Raises PositionLost.
    """
    visits = Visits(position, position, current())
    most = rows_per_transaction()
    for segment in segments_after(position, min(max_events, MAX_EVENTS)):
        events = load(segment)
        if len(events):
            visits.add(events)
        events_before = visits.until.events
        visits.until = StorePosition(segment.number, segment.key, events_before + segment.events)
        if visits.rows >= most:
            break
    return visits


def project_visitors(label: str, visits: Visits) -> bool:
    """Add the people to the sketches of one model, in a transaction of its own.

    Returns False if the projection is not at the position, goes on with other verdicts, or is
    applied by another process. Raises sql.LockTimeout.
    """
    with sql.atomic_with_lock_timeout():
        row = claim(VISITORS, label, visits.position, visits.verdicts.version)
        if row is None:
            return False
        failpoint("visitors_before_apply")
        apply(countable_models()[label], visits)
        failpoint("visitors_after_apply")
        move(row, visits.until, {})
        failpoint("visitors_before_commit")
    failpoint("visitors_after_commit")
    return True


def apply(model: type[models.Model], visits: Visits, *, beside: bool = False) -> None:
    """Add to the sketches of `model`. beside: to those of a recount.

    A stored sketch that is damaged stays as it is, and its day is counted again, by
    `recount/visitors.py`. Raises Damaged for one that is beside.
    Call it while the row of the projection, or of the recount, is locked.
    """
    for day, bodies in sorted(visits.people.items()):
        by_target: dict[int, list[bytes]] = {}
        for body in bodies:
            for target in visits.targets[body].get(model._meta.label_lower, ()):
                by_target.setdefault(target, []).append(body)
        if by_target:
            viewed = {body for of_target in by_target.values() for body in of_target}
            by_target[ALL] = sorted(viewed)
            _add(model, day, by_target, bodies, beside=beside)


def _add(
    model: type[models.Model],
    day: int,
    by_target: Mapping[int, Sequence[bytes]],
    people: Mapping[bytes, set[int]],
    *,
    beside: bool,
) -> None:
    # Contents of one page mostly have the same visitors: they come one after another, and are
    # merged once.
    order = sorted(by_target, key=lambda target: (by_target[target], target))
    merging = _Merging(people)
    for some in chunks(order, CHUNK_SIZE):
        rows = rows_of(model, day_of(day), beside=beside).filter(target_id__in=some)
        stored = {target: bytes(data) for target, data in rows.values_list("target_id", "sketch")}
        changed: dict[int, Encoded] = {}
        for target in some:
            try:
                row = merging.add(by_target[target], stored.get(target))
            except Damaged as error:
                name = f"{model._meta.label_lower} {target}, {day_of(day)}"
                if beside:
                    raise Damaged(f"the visitors of {name}: {error}") from error
                logger.error("the visitors of %s are counted again: %s", name, error)
                count_again(model._meta.label_lower, [day_of(day)], Correction.Kind.REPAIR)
                continue
            if row:
                changed[target] = row
        write(model, day_of(day), changed, beside=beside)


def count_again(label: str, days: Iterable[date], reason: str) -> None:
    """Note that days are to be counted again with the present verdicts. reason: see `Correction`.

    A day that is being counted again with earlier verdicts begins again by itself.
    """
    version = present_version()
    rows = [
        VisitorRecount(label=label, day=day, reason=reason, verdicts=version)
        for day in sorted(days)
    ]
    VisitorRecount.objects.bulk_create(rows, ROWS_PER_STATEMENT, ignore_conflicts=True)


class Encoded(NamedTuple):
    """A sketch as a row has it."""

    sketch: bytes
    visitors: int

    @classmethod
    def of(cls, sketch: Sketch) -> Self:
        return cls(sketch.encode(), sketch.count())


class _Merging:
    """Adds people to stored sketches. Remembers the last one."""

    def __init__(self, people: Mapping[bytes, set[int]]) -> None:
        self._people = people
        self._new: tuple[Sequence[bytes], Sketch] = ((), Sketch())
        self._done: tuple[tuple[Sequence[bytes], bytes | None], Encoded | None] = (((), None), None)

    def add(self, bodies: Sequence[bytes], data: bytes | None) -> Encoded | None:
        """Return the sketch with the people of these bodies; None if nothing is to be written.

        data: the one that is stored. Raises Damaged.
        """
        if self._done[0] != (bodies, data):
            self._done = (bodies, data), self._merged(bodies, data)
        return self._done[1]

    def _merged(self, bodies: Sequence[bytes], data: bytes | None) -> Encoded | None:
        if self._new[0] != bodies:
            people = set().union(*(self._people[body] for body in bodies))
            self._new = bodies, Sketch(people)
        sketch = Sketch() if data is None else decoded(data)
        return Encoded.of(sketch) if sketch and sketch.merge(self._new[1]) else None


def rows_of(
    model: type[models.Model], day: date, *, beside: bool = False
) -> models.QuerySet[VisitorSketch]:
    """Return the sketches of all targets of `model` on one day."""
    return VisitorSketch.objects.filter(content_type=content_type_of(model), day=day, beside=beside)


def decoded(data: bytes | memoryview) -> Sketch | None:
    """Return the sketch of a row; None if only the number is kept. Raises Damaged."""
    return Sketch.decode(bytes(data)) if data else None


def write(
    model: type[models.Model], day: date, sketches: Mapping[int, Encoded], *, beside: bool
) -> None:
    """Write the sketches of some targets, by id."""
    rows = [(target, *encoded) for target, encoded in sorted(sketches.items())]
    sql.put_sketches(content_type_of(model).pk, day, rows, beside=beside)


def day_of(number: int) -> date:
    """Return a day since 1970 as a date."""
    return BEGINNING + timedelta(days=number)


def number_of(day: date) -> int:
    """Return a date as days since 1970."""
    return (day - BEGINNING).days

"""Views that move from one kind of agent to another: found in events, applied to rollups."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from operator import add
from typing import NamedTuple

from django.db import models

from footfall import sql
from footfall.common.chunks import chunks
from footfall.identity import HOURS_PER_DAY
from footfall.models import COLUMNS, HourTotal, Kind, Rollup
from footfall.projections.compact import DELETED
from footfall.projections.series import at, number
from footfall.registry import content_type_of
from footfall.sql.batch import Views, summed
from footfall.store.segment import Events
from footfall.verdicts import (
    LEFT_OUT,
    PER_QUERY,
    Steps,
    Verdicts,
    agent_of,
    kind_at,
    visitor_of,
)

HOUR = 3_600_000  # milliseconds


@dataclass
class Changes:
    """What has changed about agents and visitors, which are as metadata have them."""

    agents: Mapping[bytes, tuple[Steps, Steps]]
    """Their kinds before and after."""
    visitors: Mapping[bytes, bool]
    """Whether they are left out since then: they were not before, or the other way round."""
    left_out: AbstractSet[bytes]
    """The visitors that are left out now."""
    verdicts: Verdicts
    """Those of now."""

    def of(self, meta: bytes) -> tuple[Steps, Steps] | None:
        """Return the kinds of events with this metadata, before and after; None: the same."""
        agent, visitor = agent_of(meta), visitor_of(meta)
        is_out = visitor in self.left_out
        was_out = not is_out if visitor in self.visitors else is_out
        found = self.agents.get(agent)
        if (found is None or is_out) and is_out == was_out:
            return None
        before, after = found or (self.verdicts.steps(agent),) * 2
        return LEFT_OUT if was_out else before, LEFT_OUT if is_out else after


Place = tuple[int, int]
"""Hour since 1970, and id."""


class Move(NamedTuple):
    """Views of one target in one hour, and how their kind changes."""

    hour: int
    target: int
    before: int
    after: int


Moves = Mapping[Move, int]
"""How many views each."""


def moves_in(events: Events, changes: Changes) -> dict[str, Counter[Move]]:
    """Return what changes of these events, by label."""
    touched = {
        index: found
        for index, found in enumerate(map(changes.of, events.metas))
        if found is not None
    }
    alike: Counter[tuple[int, int, int, int]] = Counter()
    for index, body, time in (
        row for row in zip(events.meta, events.body, events.at, strict=True) if row[0] in touched
    ):
        hour = time // HOUR
        before, after = (kind_at(steps, hour) for steps in touched[index])
        if before != after:
            alike[body, hour, before, after] += 1
    found: dict[str, Counter[Move]] = defaultdict(Counter)
    for (body, hour, before, after), times in alike.items():
        for label, ids in events.targets[body].items():
            for target in ids:
                found[label][Move(hour, target, before, after)] += times
    return found


def apply(model: type[models.Model], moves: Moves) -> tuple[Counter[str], int]:
    """Correct rollups and hourly totals of a model, while its projection `hourly` is locked.

    Returns how many views were moved, by "from>to", and how many are not there as they should be.
    Hours may have been compacted into the first one of their day, and deleted targets into
    `DELETED`: views are taken from where they are.
    """
    rollups = Deltas(lambda places: _rollups(model, places))
    left = rollups.take(moves, lambda move: (move.hour, move.target))
    left = rollups.take(left, lambda move: (_day(move.hour), move.target))
    there = sql.existing(model, {move.target for move in left})
    deleted = {move: views for move, views in left.items() if move.target not in there}
    deleted = rollups.take(deleted, lambda move: (move.hour, DELETED))
    deleted = rollups.take(deleted, lambda move: (_day(move.hour), DELETED))
    left = {move: n for move, n in left.items() if move.target in there} | deleted
    sql.add_rollups(model, rollups.views())
    moved = {move: views - left.get(move, 0) for move, views in moves.items()}
    _apply_totals(model, moved)
    sums: Counter[str] = Counter()
    for move, views in moved.items():
        sums[f"{move.before}>{move.after}"] += views
    return +sums, sum(left.values())


def days_of_people(moves: Moves) -> set[date]:
    """Return the days on which some of the views are of people now, or not any more."""
    people = {move.hour for move in moves if Kind.PERSON in (move.before, move.after)}
    return {at(hour).date() for hour in people}


def _apply_totals(model: type[models.Model], moved: Moves) -> None:
    of_hours: Counter[Move] = Counter()
    for move, views in moved.items():
        of_hours[move._replace(target=DELETED)] += views
    deltas = Deltas(lambda places: _totals(model, places))
    left = deltas.take(of_hours, lambda move: (move.hour, DELETED))
    left = deltas.take(left, lambda move: (_day(move.hour), DELETED))
    for move, views in left.items():  # as in the rollups, all the same
        deltas.add((_day(move.hour), DELETED), move, views)
    sql.add_hour_totals(model, deltas.views().totals())


class Deltas:
    """What is added to the rows of a table, so that views move from kind to kind."""

    def __init__(self, read: Callable[[Iterable[Place]], Mapping[Place, list[int]]]) -> None:
        """read: returns the rows at these places, a number for each of COLUMNS."""
        self._read = read
        self._deltas: dict[Place, list[int]] = {}

    def take(self, moves: Moves, place: Callable[[Move], Place]) -> dict[Move, int]:
        """Move as many of these views as their places have; return how many are left."""
        rows = {
            at: list(map(add, numbers, self._deltas.get(at, [0] * len(COLUMNS))))
            for at, numbers in self._read({place(move) for move in moves}).items()
        }
        left: dict[Move, int] = {}
        for move, views in moves.items():
            row = rows.get(place(move))
            taken = min(views, max(0, _of_kind(row, move.before))) if row else 0
            if row and taken:
                _shift(row, move, taken)
                self.add(place(move), move, taken)
            if taken < views:
                left[move] = views - taken
        return left

    def add(self, place: Place, move: Move, views: int) -> None:
        _shift(self._deltas.setdefault(place, [0] * len(COLUMNS)), move, views)

    def views(self) -> Views:
        rows = self._deltas.items()
        return summed((hour, target, numbers) for (hour, target), numbers in rows)


def _of_kind(row: list[int], kind: int) -> int:
    """Return the views of a kind: a column's number is that of its kind, and unknown has none."""
    return row[kind] if kind else row[0] - sum(row[1:])


def _shift(row: list[int], move: Move, views: int) -> None:
    for kind, change in ((move.before, -views), (move.after, views)):
        if kind:
            row[kind] += change


def _rollups(model: type[models.Model], places: Iterable[Place]) -> dict[Place, list[int]]:
    ids: dict[int, list[int]] = defaultdict(list)
    for hour, target in places:
        ids[hour].append(target)
    rows = Rollup.objects.filter(content_type=content_type_of(model))
    return {
        (hour, target): numbers
        for hour, of_hour in ids.items()
        for some in chunks(sorted(of_hour), PER_QUERY)
        for target, *numbers in rows.filter(hour=at(hour), target_id__in=some).values_list(
            "target_id", *COLUMNS
        )
    }


def _totals(model: type[models.Model], places: Iterable[Place]) -> dict[Place, list[int]]:
    hours = [at(hour) for hour, _target in places]
    rows = HourTotal.objects.filter(content_type=content_type_of(model), hour__in=hours)
    return {
        (number(hour), DELETED): numbers for hour, *numbers in rows.values_list("hour", *COLUMNS)
    }


def _day(hour: int) -> int:
    return hour - hour % HOURS_PER_DAY

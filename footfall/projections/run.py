"""Brings the projections forward: each in a transaction of its own, alone behind if it fails."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from footfall.common.compiled import Compiled
from footfall.conf import conf
from footfall.models import Carried, Projection, StorePosition
from footfall.projections.batch import Batch, read_batch
from footfall.projections.copies import Copied, copied_labels, copy, copy_name
from footfall.projections.hourly import project_hourly
from footfall.projections.kept.rows import NO_CHANGES
from footfall.projections.rows import (
    HOURLY,
    KINDS,
    TOTALS,
    VISITORS,
    move_idle,
    note_failure,
)
from footfall.projections.totals import Applied, project_totals
from footfall.projections.visitors.daily import Visits, project_visitors, read_visits
from footfall.registry import content_type_of, countable_models, policy_of
from footfall.sql import LockTimeout
from footfall.store.read import store_head

logger = logging.getLogger(__name__)

MAX_EVENTS = 500_000
"""Events that one transaction applies: the more, the more of them are views of the same targets."""
MAX_DELAY = 60.0  # seconds between the tries of a projection that keeps failing
CARRIED = Compiled(lambda: Carried.objects.order_by().values_list("content_type_id").distinct())
ALL = Compiled(lambda: Projection.objects.order_by("number", "name"))


class Projector(NamedTuple):
    """What a kind of projection does with events.

    `project` is called for each model with every event exactly once, in order. It claims the row of
    the projection, applies the events and moves the row, all in one transaction. Whatever it raises
    leaves its projection behind, and no other.
    """

    project: Callable[[str, Any], Applied | bool | None]
    """Gets the model, and what was read for its kind. Returns nothing true if it could not claim
    the row."""
    interval: Callable[[], float] = float
    """Seconds between two transactions, unless there is more than one of them can apply."""


PROJECTORS = {
    "totals": Projector(project_totals),
    "hourly": Projector(project_hourly, lambda: 10.0),
    "visitors": Projector(project_visitors, lambda: conf.COUNTERS_VISITORS_INTERVAL_SECONDS),
}


@dataclass
class Projected:
    """What one call did. Projections are named as their rows: "totals:pages.content"."""

    applied: list[Applied] = field(default_factory=list)
    """What became of the counters, model by model."""
    moved: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Another process has their row, or what they need is locked: try again."""
    failed: list[str] = field(default_factory=list)
    """Those that have raised, and those that are not tried again yet."""
    unknown: list[str] = field(default_factory=list)
    """There are views for them, but this process does not know their model."""
    later: list[str] = field(default_factory=list)
    """Behind as well, but their time has not come."""
    more: bool = False
    """Whether one that was moved is still behind, or a copy that takes several steps."""

    @property
    def is_behind(self) -> bool:
        """Whether a call without new events may have something to do."""
        return self.more or bool(self.waiting or self.failed or self.later)


class Delays:
    """How long projections that have failed are left alone by this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._delayed: dict[str, tuple[float, float]] = {}

    def is_over(self, name: str) -> bool:
        return self._clock() >= self._delayed.get(name, (0.0, 0.0))[1]

    def failed(self, name: str, *, longest: float = MAX_DELAY) -> None:
        """Wait for 1 s, and twice as long each further time."""
        seconds = min(longest, 2 * self._delayed.get(name, (0.5, 0.0))[0])
        self._delayed[name] = (seconds, self._clock() + seconds)

    def succeeded(self, name: str) -> None:
        self._delayed.pop(name, None)


delays = Delays()


def apply_new_events(
    force: bool = False, *, kinds: Collection[str] = KINDS, max_events: int = MAX_EVENTS
) -> Projected:
    """Bring every projection of these kinds forward that is due, by about `max_events` events.

    force: those too that would wait for their interval, or have failed just now. Several processes
    may do it at once. Raises DatabaseError if the database is away; what was committed stays.
    """
    run = Run(force, max_events)
    together: dict[tuple[StorePosition, bool], list[Projection]] = {}
    for row in run.due(kinds):
        together.setdefault((row.position, row.kind == VISITORS), []).append(row)
    for (position, _), rows in together.items():
        run.advance(position, rows)
    if TOTALS in kinds:
        run.copy()
    return run.projected


class Run:
    """One call of `apply_new_events`."""

    def __init__(self, force: bool, max_events: int) -> None:
        self.projected = Projected()
        self._force = force
        self._max_events = max_events
        self._head = store_head().position
        labels = {content_type_of(model).pk: label for label, model in countable_models().items()}
        carried = (kind for (kind,) in CARRIED.all())
        self._carried = {f"totals:{labels[kind]}" for kind in carried if kind in labels}

    def due(self, kinds: Collection[str]) -> list[Projection]:
        """Return what is to be brought forward, `totals` first: counters are waited for."""
        order = [kind for kind in PROJECTORS if kind in kinds]
        rows = [row for row in ALL.all() if row.kind in order]
        rows = [row for row in rows if self._is_behind(row)]
        # All of a kind together: they read the same segments.
        its_time = {row.kind for row in rows if self._is_time(row)}
        behind = [row for row in rows if row.kind in its_time]
        self.projected.later += [row.name for row in rows if row.kind not in its_time]
        due = [row for row in behind if self._force or delays.is_over(row.name)]
        self.projected.failed += [row.name for row in behind if row not in due]
        return sorted(due, key=lambda row: order.index(row.kind))

    def _is_behind(self, row: Projection) -> bool:
        return row.position[:2] != self._head[:2] or row.name in self._carried

    def _is_time(self, row: Projection) -> bool:
        if self._force or row.moved_at is None:
            return True
        interval = timedelta(seconds=PROJECTORS[row.kind].interval())
        elapsed = timezone.now() - row.moved_at
        # A clock that was set back makes nothing wait for longer.
        return abs(elapsed) >= interval or self._head.events - row.events >= self._max_events

    def advance(self, position: StorePosition, rows: Sequence[Projection]) -> None:
        """Apply the events after `position` to the projections that are there."""
        try:
            batch = self._read(position, rows)
        except Exception as error:
            self._note_failure(rows, error)
            return
        moved = len(self.projected.moved)
        busy = [row for row in rows if row.label in batch.labels or row.name in self._carried]
        if idle := [row for row in rows if row not in busy]:
            self._move_idle(idle, batch)
        for row in busy:
            self._apply(row, batch)
        if len(self.projected.moved) > moved and batch.until.number < self._head.number:
            self.projected.more = True

    def _read(self, position: StorePosition, rows: Sequence[Projection]) -> Batch | Visits:
        """Read what these apply: visitors are read apart from views. Raises PositionLost."""
        if rows[0].kind == VISITORS:
            return read_visits(position, self._max_events)
        kinds = any(map(_tells_kinds, rows))
        return read_batch(position, self._max_events, kinds=kinds)

    def _move_idle(self, rows: Sequence[Projection], batch: Batch | Visits) -> None:
        verdicts = batch.verdicts.version if isinstance(batch, Visits) else None
        names = [row.name for row in rows]
        moved = move_idle(names, batch.position, batch.until, verdicts)
        self.projected.moved += moved
        first, last, now = batch.position.number + 1, batch.until.number, time.monotonic()
        self.projected.applied += [
            Applied(row.label, first, last, {}, {}, now)
            for row in rows
            if row.kind == "totals" and row.name in moved and row.label in countable_models()
        ]

    def _apply(self, row: Projection, batch: Batch | Visits) -> None:
        if row.label not in countable_models():
            delays.failed(row.name)
            self.projected.unknown.append(row.name)
            return
        try:
            applied = PROJECTORS[row.kind].project(row.label, batch)
        except LockTimeout as error:
            logger.warning("%s waits for a lock: %s", row, error)
            delays.failed(row.name, longest=1.0)
            self.projected.waiting.append(row.name)
        except Exception as error:
            self._note_failure([row], error)
        else:
            delays.succeeded(row.name)
            (self.projected.moved if applied else self.projected.waiting).append(row.name)
            if isinstance(applied, Applied):
                self.projected.applied.append(applied)

    def copy(self) -> None:
        """Copy what was counted to where models have their own counters, if that is elsewhere."""
        applied = {one.label: one for one in self.projected.applied if one.changes != NO_CHANGES}
        for label in copied_labels():
            name = copy_name(label)
            if not self._force and not delays.is_over(name):
                self.projected.failed.append(name)
                continue
            try:
                done = copy(label, applied.get(label), force=self._force)
            except LockTimeout:
                done = Copied.NOT_ALL
            except Exception as error:
                logger.error("%s has failed: %s", name, error, exc_info=error)
                delays.failed(name)
                self.projected.failed.append(name)
                continue
            if done is Copied.NOT_ALL:
                delays.failed(name, longest=1.0)
                self.projected.waiting.append(name)
            else:
                delays.succeeded(name)
                self.projected.more |= done is Copied.MORE

    def _note_failure(self, rows: Sequence[Projection], error: Exception) -> None:
        failed = note_failure(rows, error)
        for name in failed:
            logger.error("the projection %s has failed: %s", name, error, exc_info=error)
            delays.failed(name)
        self.projected.failed += failed
        self.projected.waiting += [row.name for row in rows if row.name not in failed]


def _tells_kinds(row: Projection) -> bool:
    """Tell whether a projection needs to know the kinds of agents."""
    model = countable_models().get(row.label)
    if row.kind == TOTALS and model:
        return policy_of(model).tells_kinds
    return row.kind == HOURLY

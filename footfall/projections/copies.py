"""Kept counters are copied into the column of their own model, in its database.

How far that is, is in the same database and changes with the column, in one transaction. A copy
writes what a counter is, never what it gained: so nothing is doubled if it comes twice, and after a
restore of either database it is enough to copy again.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from django.db import Error, connections
from django.utils import timezone

from footfall import sql
from footfall.common.chunks import chunks, pages
from footfall.common.failpoints import failpoint
from footfall.models import CounterCopy, KeptCounter, Projection, StorePosition
from footfall.projections.kept.rows import keys_of
from footfall.projections.rows import TOTALS, name_of
from footfall.projections.totals import Applied
from footfall.registry import (
    content_type_of,
    countable_models,
    database_of,
    is_copied,
    own_field,
    owner_of,
)
from footfall.store.read import is_known

logger = logging.getLogger(__name__)

CHUNK_SIZE = 2_000
"""Counters that one transaction copies when it cannot take them from memory."""
ROWS_PER_STATEMENT = 500
STEP_SECONDS = 0.5
"""For so long one call goes on to copy chunks: counting waits for it."""
MAX_LEFT = 1_000
"""Locked rows that are remembered; with more, what was copied is copied again."""
LOOK_AGAIN = 60.0
"""Seconds after which it is looked whether the copies are those that were written: a restore."""

Row = tuple[int, Any, int]
"""Target id, primary key, counter."""


class Seen(NamedTuple):
    """What was copied when this process has looked last."""

    changes: int
    at: float


class Pass(NamedTuple):
    """How far this process is with copying all that has changed after `begin`."""

    source: Projection
    """As it was when the pass began: at its end, everything up to there is copied."""
    begin: int
    state: tuple[int, Sequence[int]]
    """Changes and left ones of the copy when it began: another process may be faster."""
    left: list[int]
    """Targets whose rows are locked."""
    after: int | None = None
    """The target id up to which it is done."""


class Copied(Enum):
    """What became of one call."""

    ALL = "all"
    NOT_ALL = "not all"
    """Another process copies, or another transaction has locked rows."""
    MORE = "more"
    """Call it again: so much takes several steps."""


_seen: dict[str, Seen] = {}
_passes: dict[str, Pass] = {}


def forget() -> None:
    """Look again at the next copy."""
    _seen.clear()
    _passes.clear()


def copied_labels() -> list[str]:
    """Return the models whose counters are copied."""
    return [label for label, model in countable_models().items() if is_copied(model)]


def copy_name(label: str) -> str:
    return f"copy:{label}"


def copy(label: str, applied: Applied | None = None, *, force: bool = False) -> Copied:
    """Copy the counters of a model that have changed, for `STEP_SECONDS` at most.

    applied: what was counted just now; its counters need not be read again. force: look even if
    nothing seems to have changed. Raises sql.LockTimeout, or django.db.Error if its database is
    away.
    """
    source = Projection.objects.filter(name=name_of(TOTALS, label)).first()
    if source is None:
        return Copied.ALL
    seen = _seen.get(label)
    is_recent = seen and time.monotonic() - seen.at < LOOK_AGAIN
    if not force and is_recent and seen and seen.changes == source.changes:
        return Copied.ALL
    done = _Copying(label, source, applied).run()
    if done is Copied.ALL:
        _seen[label] = Seen(source.changes, time.monotonic())
    else:
        _seen.pop(label, None)
    return done


class _Copying:
    """One call of `copy`."""

    def __init__(self, label: str, source: Projection, applied: Applied | None) -> None:
        model = countable_models()[label]
        self._label, self._source, self._applied = label, source, applied
        self._model, self._owner, self.using = model, owner_of(model), database_of(model)
        self._kept = KeptCounter.objects.filter(content_type=content_type_of(model))
        self._states = CounterCopy.objects.using(self.using).filter(label=label)

    def run(self) -> Copied:
        with sql.atomic_with_lock_timeout(self.using):
            state = self._lock()
            if state is None:
                return Copied.NOT_ALL
            # Under the lock: another process may have copied more than there was before.
            self._source.refresh_from_db()
            begin = self._begin(state)
            rows = self._new(state, begin)
            if rows is not None:
                left = self._write(rows)
                if len(left) > MAX_LEFT:
                    return Copied.NOT_ALL
                state.left = left
                changes = self._source.changes
                if self._applied and begin < changes:
                    changes = self._applied.changes[1]
                self._move(state, changes)
                failpoint("copy_before_commit")
        failpoint("copy_after_commit")
        if rows is None:
            return self._copy_all_after(begin, state)
        is_done = not state.left and state.changes >= self._source.changes
        return Copied.ALL if is_done else Copied.NOT_ALL

    def _lock(self) -> CounterCopy | None:
        """Lock how far it is; None if another process has done that."""
        self._states.bulk_create([CounterCopy(label=self._label)], ignore_conflicts=True)
        has = connections[self.using].features
        rows = self._states.select_for_update(skip_locked=has.has_select_for_update_skip_locked)
        return rows.first()

    def _begin(self, state: CounterCopy) -> int:
        """Return up to which change everything is copied; -1 if that is not known."""
        position = StorePosition(state.number, state.key, state.events)
        is_past = state.changes <= self._source.changes
        return state.changes if is_past and is_known(position) else -1

    def _new(self, state: CounterCopy, begin: int) -> list[Row] | None:
        """Return what is to be written, if it is known without reading many rows; else None."""
        if begin == -1:
            return None
        found: dict[int, int] = {}
        if begin < self._source.changes:
            if not self._applied or self._applied.changes[0] != begin:
                return None
            found.update(self._applied.counters)
        left = self._kept.filter(target_id__in=state.left)
        found.update(left.values_list("target_id", "counter"))
        keys = keys_of(self._model, found)
        return [(one, keys[one], n) for one, n in sorted(found.items()) if one in keys]

    def _copy_all_after(self, begin: int, before: CounterCopy) -> Copied:
        """Copy what has changed after `begin`, a step in chunks; at the end note that it is done.

        The next call goes on where this one has stopped. So counting never waits for all of it.
        """
        at, end = self._pass(begin, before), time.monotonic() + STEP_SECONDS
        for ids in self._changed(begin, at.after):
            with sql.atomic_with_lock_timeout(self.using):
                if self._lock() is None:
                    return Copied.NOT_ALL
                # Read under the lock: nothing older is written over what another process wrote.
                counters = dict(
                    self._kept.filter(target_id__in=ids).values_list("target_id", "counter")
                )
                keys = keys_of(self._model, counters)
                left = self._write([(one, keys[one], n) for one, n in counters.items()])
                failpoint("copy_before_chunk")
            failpoint("copy_after_chunk")
            at = _passes[self._label] = at._replace(left=[*at.left, *left], after=ids[-1])
            if time.monotonic() >= end:
                return Copied.MORE
        del _passes[self._label]
        return self._note_pass(at)

    def _pass(self, begin: int, before: CounterCopy) -> Pass:
        """Return the pass that goes on, or a new one."""
        state = (before.changes, before.left)
        at = _passes.get(self._label)
        is_same = at and (at.begin, at.state) == (begin, state)
        if not at or not is_same or at.source.changes > self._source.changes:
            at = Pass(self._source, begin, state, before.left if begin >= 0 else [])
        _passes[self._label] = at
        return at

    def _note_pass(self, at: Pass) -> Copied:
        with sql.atomic_with_lock_timeout(self.using):
            state, left = self._lock(), sorted({*at.left})
            if state is None or len(left) > MAX_LEFT:
                return Copied.NOT_ALL
            if (state.changes, state.left) != at.state:  # by another process
                return Copied.NOT_ALL
            state.left = left
            is_all = at.source.changes >= self._source.changes
            self._source = at.source
            self._move(state, at.source.changes)
        if left:
            return Copied.NOT_ALL
        return Copied.ALL if is_all else Copied.MORE

    def _changed(self, begin: int, after: int | None = None) -> Iterator[Sequence[int]]:
        rows = self._kept.filter(changes__gt=begin)
        if after is not None:
            rows = rows.filter(target_id__gt=after)
        for page in pages(rows, CHUNK_SIZE, "target_id"):
            yield [target for (target,) in page]

    def ids(self) -> Iterator[Sequence[int]]:
        return self._changed(-1)

    def differing(self, ids: Sequence[int], *, repair: bool) -> list[tuple[Any, int, int]]:
        """Return which of these columns differ, in a transaction in which nothing is copied."""
        state = self._states.select_for_update().first()
        if state is None:
            return []
        copied = self._kept.filter(target_id__in=ids, changes__lte=state.changes)
        counters = dict(
            copied.exclude(target_id__in=state.left).values_list("target_id", "counter")
        )
        by_key = {key: target for target, key in keys_of(self._model, counters).items()}
        name = own_field(self._model).name  # type: ignore[union-attr]
        rows = self._owner._base_manager.using(self.using).filter(pk__in=list(by_key))
        found = [
            (key, n, counters[by_key[key]])
            for key, n in rows.values_list("pk", name)
            if n != counters[by_key[key]]
        ]
        if repair and found:
            self._write([(by_key[key], key, counter) for key, _, counter in found])
        return found

    def _move(self, state: CounterCopy, changes: int) -> None:
        state.changes = changes
        state.number, state.key, state.events = self._source.position
        state.moved_at = timezone.now()
        state.save(using=self.using)

    def _write(self, rows: Sequence[Row]) -> list[int]:
        """Set the columns; return the targets whose rows are locked."""
        return [one for some in chunks(rows, ROWS_PER_STATEMENT) for one in self._write_some(some)]

    def _write_some(self, rows: Sequence[Row]) -> list[int]:
        name = own_field(self._model).name  # type: ignore[union-attr]
        wanted = {key: counter for _, key, counter in rows}
        manager = self._owner._base_manager.using(self.using).order_by()
        of_these = manager.filter(pk__in=list(wanted))
        has = connections[self.using].features
        free = of_these.select_for_update(
            skip_locked=has.has_select_for_update_skip_locked,
            no_key=has.has_select_for_no_key_update,
        )
        present = dict(free.values_list("pk", name))
        other = {key: n for key, n in wanted.items() if present.get(key, n) != n}
        if other:
            sql.set_by_key(self._owner, name, other, self.using)
        if len(present) == len(wanted):
            return []
        locked = {*of_these.values_list("pk", flat=True)} - present.keys()  # the rest is deleted
        return [target for target, key, _ in rows if key in locked]


def differing(label: str, *, repair: bool = False) -> Iterator[tuple[Any, int, int]]:
    """Yield the columns that are not what was copied: primary key, column, counter.

    repair: set them. Raises django.db.Error if the database is away.
    """
    copying = _Copying(label, Projection(), None)
    for ids in copying.ids():
        with sql.atomic_with_lock_timeout(copying.using):
            yield from copying.differing(ids, repair=repair)


class Behind(NamedTuple):
    """A copy that is behind."""

    name: str
    failed_at: datetime | None = None
    error: str = ""


def behind() -> Iterator[Behind]:
    """Yield the copies that are behind; those whose database is away have an error."""
    for label in copied_labels():
        source = Projection.objects.filter(name=name_of(TOTALS, label)).first()
        if source is None:
            continue
        try:
            using = database_of(countable_models()[label])
            state = CounterCopy.objects.using(using).filter(label=label).first()
        except Error as error:
            yield Behind(
                copy_name(label), timezone.now(), f"{type(error).__name__}: {error}".strip()
            )
            continue
        if state is None or state.left or state.changes < source.changes:
            yield Behind(copy_name(label))

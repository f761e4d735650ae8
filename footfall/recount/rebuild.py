"""Computes a projection again: `counters rebuild`. Chunk by chunk, while views keep coming.

The recount goes up to a boundary. Then each chunk locks the projection, and sets what differs to
what it should be at the projection's position. One whose position is lost gets what there is up to
the boundary, and its position once all is done: so a crash does no harm.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from footfall.common.failpoints import failpoint
from footfall.identity import database_now, ensure_identity
from footfall.models import (
    Carried,
    Correction,
    Projection,
    Recount,
)
from footfall.projections.kept.rows import keep_counted
from footfall.projections.policies import follow, is_counted_by, is_stale
from footfall.projections.rows import (
    HOURLY,
    KINDS,
    TOTALS,
    VISITORS,
    lock,
    name_of,
)
from footfall.reclassify.past import forget, resume
from footfall.recount.comparison import highest_id, ranges, require_policy
from footfall.recount.counters import Corrected, Counters
from footfall.recount.counting import (
    Progress,
    advance,
    clear,
    locked,
    require_verdicts,
    run,
    take,
    touch,
)
from footfall.recount.gap import Incomparable
from footfall.recount.rollups import Rollups
from footfall.recount.visitors import Recounted, recount_all
from footfall.registry import content_type_of, countable_models, policy_of
from footfall.store.read import is_known, store_head
from footfall.verdicts import present_version

logger = logging.getLogger(__name__)

CHUNK_SIZE = 2_000  # targets that one transaction corrects
LOCKED_WAIT = 0.1  # seconds until a locked counter is tried again
NEAR_EVENTS = 100_000
"""With more events since the boundary, they are counted before anything is corrected."""
ALIVE = timedelta(minutes=5)
"""A rebuild that went on so recently is left to the process that does it."""


class NoProjection(Exception):
    """There is no such projection, or not here; the message says so."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did."""

    changed: int
    left: int
    """What was left as it was, since it cannot be explained."""
    unread: list[int]
    """Numbers of the segments that could not be read."""


def rebuild(name: str, since: datetime | None = None, progress: Progress | None = None) -> Rebuilt:
    """Compute the projection `name` again: "totals:pages.content". Goes on with one that stopped.

    since: only hours from then on. Raises NoProjection, or Incomparable if it cannot go on.
    """
    row = Projection.objects.filter(name=name).first()
    if row is None or row.label not in countable_models():
        raise NoProjection(f"there is no projection {name} here")
    if row.kind == VISITORS:
        return Rebuilt(len(recount_all(row.label, since, progress).changed), 0, [])
    if since and row.kind == TOTALS:
        raise NoProjection("a counter has no hours: rebuild it as a whole")
    is_lost = not is_known(row.position)
    if row.kind == HOURLY and not is_lost:
        resume()
    if row.kind == TOTALS:
        keep_counted(countable_models()[row.label])
    boundary = store_head().position if is_lost else row.position
    recount = _begin(take(row.label, row.kind, boundary, since), is_lost=is_lost)
    (recount,) = run([recount], progress)
    if not is_lost:
        recount = _come_near(recount)
    if row.kind == TOTALS:
        recount = _follow_policy(recount)
    chunks = _correct_counters if row.kind == TOTALS else _correct_rollups
    return _end(name, chunks(recount, progress))


def rebuild_stale(progress: Progress | None = None, *, take_over: bool = False) -> list[str]:
    """Rebuild the counters that go by kinds of agents that were classified anew; return names.

    Those of models that are unknown here, and those that cannot go on now, are left. take_over:
    not those that another process rebuilds.
    """
    rebuilt = []
    for row in Projection.objects.order_by("name"):
        if is_stale(row) and (take_over or not _alive(row)):
            try:
                rebuild(row.name, progress=progress)
            except Incomparable as reason:
                logger.warning("%s is not rebuilt now: %s", row.name, reason)
            else:
                rebuilt.append(row.name)
    return rebuilt


def rebuild_visitors(
    name: str, since: datetime | None = None, progress: Progress | None = None
) -> Recounted:
    """Count the visitors of all days again, or of those since one. Raises NoProjection."""
    row = Projection.objects.filter(name=name).first()
    if row is None or row.label not in countable_models():
        raise NoProjection(f"there is no projection {name} here")
    return recount_all(row.label, since, progress)


def rebuild_lost() -> list[str]:
    """Rebuild the projections whose position is lost; return their names.

    Leaves out one that another process rebuilds, and models that this process does not know.
    """
    rebuilt = []
    rows = [row for row in Projection.objects.order_by("name") if row.kind in KINDS]
    for row in sorted(rows, key=lambda row: KINDS.index(row.kind)):  # counters first
        if row.label in countable_models() and not is_known(row.position) and not _alive(row):
            logger.error("the position of %s is lost: it starts over from the base", row.name)
            try:
                rebuild(row.name)
            except Incomparable as reason:
                logger.warning("%s is not rebuilt now: %s", row.name, reason)
            else:
                rebuilt.append(row.name)
    return rebuilt


def _alive(row: Projection) -> bool:
    """Tell whether some process went on with its recount just now. By one clock: nothing is lost
    if that jumps, since a recount is taken over whole.
    """
    ensure_identity()
    recent = database_now() - ALIVE
    return Recount.objects.filter(label=row.label, touched_at__gt=recent).exists()


def _begin(recount: Recount, *, is_lost: bool) -> Recount:
    """Note whether the projection starts over; what was carried over is in the events, too."""
    with transaction.atomic():
        recount = locked(recount)
        if recount.is_lost != is_lost:
            recount.is_lost = is_lost
            recount.cursor = -1 if recount.stage in ("events", "done") else recount.cursor
        if is_lost and recount.kind == TOTALS:
            kind = content_type_of(countable_models()[recount.label])
            Carried.objects.filter(content_type=kind).delete()
        if is_lost and recount.kind == HOURLY:
            forget(recount.label)
        touch(recount)
    return recount


def _follow_policy(recount: Recount) -> Recount:
    """Have the model's policy count from now on: what was counted before is corrected then.

    All of it, if another one has counted since a rebuild was interrupted.
    """
    policy = policy_of(countable_models()[recount.label])
    with transaction.atomic():
        rows = lock(recount.label, [TOTALS])
        recount = locked(recount)
        require_verdicts(recount, present_version())
        for row in rows:
            if not is_counted_by(row, policy):
                recount.cursor = -1
            follow(row, policy, recount.verdicts)
        touch(recount)
        failpoint("before_policy_commit")
    failpoint("after_policy_commit")
    return recount


def _come_near(recount: Recount) -> Recount:
    """Count on until the boundary is near the projection's position."""
    name = name_of(recount.kind, recount.label)
    position = Projection.objects.get(name=name).position
    while position.events - recount.boundary_events > NEAR_EVENTS:
        recount = advance(recount, position)
        position = Projection.objects.get(name=name).position
    return recount


@contextmanager
def _chunk(counted: Counters | Rollups) -> Iterator[Projection | None]:
    """A transaction in which the projection is locked, and the recount is saved at its end."""
    with transaction.atomic():
        row = counted.lock()
        yield row
        touch(counted.recount)
        failpoint("before_rebuild_commit")
    failpoint("after_rebuild_commit")


def _correct_counters(recount: Recount, progress: Progress | None) -> Recount:
    counters, highest = Counters(recount), highest_id(recount.label)
    for after, last in ranges(counters.model, CHUNK_SIZE, recount.cursor):
        refused: set[int] = set()
        waiting = True
        while waiting:  # for rows that others have locked: all others are counted meanwhile
            with _chunk(counters) as row:
                differing = set(counters.differing(after, last)) - refused
                done = counters.correct(row, differing)
                refused |= {one.target for one in done if one.refused}
                _note(counters.recount, done)
                waiting = len(done) < len(differing) and _still_there(counters, differing, done)
                if not waiting:
                    counters.recount.cursor = last
            if waiting:
                time.sleep(LOCKED_WAIT)
        if progress:
            progress(name_of(recount.kind, recount.label), min(last, highest), highest)
    return counters.recount


def _still_there(counters: Counters, ids: set[int], done: list[Corrected]) -> bool:
    left = ids - {one.target for one in done}
    return counters.model._base_manager.filter(pk__in=left).exists()


def _note(recount: Recount, done: list[Corrected]) -> None:
    for one in done:
        recount.left += bool(one.refused)
        recount.changed += one.after != one.before
        if one.after != one.before:
            recount.before += one.before
            recount.after += one.after


def _correct_rollups(recount: Recount, progress: Progress | None) -> Recount:
    rollups, highest = Rollups(recount), highest_id(recount.label)
    for after, last in ranges(rollups.model, CHUNK_SIZE, recount.cursor):
        with _chunk(rollups):
            wrong = rollups.differing(after, last)
            _note_days(rollups, len(wrong), len(rollups.correct(wrong)))
            rollups.recount.cursor = last
        if progress:
            progress(name_of(recount.kind, recount.label), min(last, highest), highest)
    for one in rollups.compare_deleted():  # it takes long, so not while views are held up
        with _chunk(rollups):
            wrong = rollups.differing_deleted(one.day)
            _note_days(rollups, len(wrong), len(rollups.correct(wrong)))
    for day in rollups.days(recount.since):
        with _chunk(rollups):
            rollups.correct_total(day)
    return rollups.recount


def _note_days(rollups: Rollups, wrong: int, corrected: int) -> None:
    rollups.recount.changed += corrected
    rollups.recount.left += wrong - corrected


def _end(name: str, recount: Recount) -> Rebuilt:
    """Write the ledger, and set a lost position to the boundary."""
    with transaction.atomic():
        row = Projection.objects.select_for_update().filter(name=name).first()
        recount = locked(recount)
        if recount.is_lost and row:
            row.number, row.key, row.events = recount.boundary
            row.failed_at, row.error = None, ""
            row.save()
        if row and recount.kind == HOURLY:
            require_verdicts(recount, present_version())
            row.verdicts = recount.verdicts  # an old process may have opened it with none
            row.save(update_fields=["verdicts"])
        if row and recount.kind == TOTALS:
            policy = policy_of(countable_models()[recount.label])
            require_policy(row, policy)
            require_verdicts(recount, present_version())
            row.policy = policy.name
            row.save(update_fields=["policy"])
        what = "counters" if recount.kind == TOTALS else "days of rollups"
        Correction.objects.create(
            kind=Correction.Kind.REBUILD,
            label=recount.label,
            before=recount.before,
            after=recount.after,
            text=f"{name}: {recount.changed} {what} corrected, {recount.left} left as they were"
            + (", started over: its position was lost" if recount.is_lost else "")
            + (f", from {recount.since:%Y-%m-%d} on" if recount.since else ""),
        )
        Recount.objects.filter(pk=recount.pk).delete()
        failpoint("before_rebuild_end")
    failpoint("after_rebuild_end")
    clear(recount.label)
    return Rebuilt(recount.changed, recount.left, recount.corrupt)

"""Counts again: base and events of some models, chunk by chunk, into a table of its own.

Each chunk is a transaction with its progress, so it goes on from wherever it was interrupted. There
is one recount per model: another process that goes on with it takes it over.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.db import connection, models, transaction
from django.db.models import Exists
from django.db.models.functions import Now

from footfall import sql
from footfall.common.compiled import Compiled
from footfall.common.failpoints import failpoint
from footfall.identity import epoch
from footfall.models import (
    COLUMNS,
    Base,
    Recount,
    Recounted,
    Segment,
    StoreHead,
    StorePosition,
    Visit,
)
from footfall.models.store import EPOCH as EPOCH
from footfall.reclassify.changes import Progress as Progress
from footfall.recount.gap import Incomparable
from footfall.registry import content_type_of, countable_models, limits, policy_of
from footfall.sql import rows_per_transaction
from footfall.sql.batch import Views
from footfall.store.append import locked_head
from footfall.store.floor import ABANDONED_AFTER
from footfall.store.read import PositionLost, is_known, load, segments_after
from footfall.store.views import Summed
from footfall.store.visits import Visits, add_all
from footfall.verdicts import Verdicts, present_version
from footfall.verdicts import current as current_verdicts

CHUNK_EVENTS = 500_000
CHUNK_ROWS = 50_000
"""Rows that one transaction copies or removes."""
LAST_ID = 2**63 - 1
FIRST_STAGES = (Recount.Stage.CLEAR, Recount.Stage.BASE)
HOUR = 3_600  # seconds
REBUILDS = (Recount.Kind.TOTALS, Recount.Kind.HOURLY)
KINDS_TOLD = (Recount.Kind.AUDIT, Recount.Kind.HOURLY)
OF_LABEL = Compiled(lambda label: Recount.objects.select_for_update().filter(label=label))
LOCKED = Compiled(
    lambda label, token: Recount.objects.select_for_update().filter(label=label, token=token)
)
CURRENT = Compiled(lambda label, token: Recount.objects.filter(label=label, token=token))
FOUND = Compiled(
    lambda kind: StoreHead.objects.values_list(
        Exists(Recounted.objects.filter(content_type_id=kind)),
        Exists(Visit.objects.filter(content_type_id=kind, beside=True)),
        Exists(Base.objects.filter(content_type_id=kind)),
    )[:1]
)
"""Whether a recount has left something behind, and whether there is a base."""


class TakenOver(Incomparable):
    """Another process goes on with the recount, or it was given up as abandoned."""


def take(label: str, kind: str, boundary: StorePosition, since: datetime | None = None) -> Recount:
    """Begin a recount up to `boundary`, or take over one that was interrupted.

    Raises Incomparable if it belongs to a rebuild of another kind.
    """
    with transaction.atomic():
        removed = locked_head().removed  # nothing leaves the store meanwhile
        return _take(label, kind, max(boundary, removed), removed, since)


def _take(
    label: str,
    kind: str,
    boundary: StorePosition,
    removed: StorePosition,
    since: datetime | None,
) -> Recount:
    row, now, verdicts = OF_LABEL.first(label), epoch(), present_version()
    is_new, oldest = row is None, now - ABANDONED_AFTER
    if row and row.epoch >= oldest and row.kind in REBUILDS and row.kind != kind:
        name = f"{row.kind}:{label}"
        raise Incomparable(f"{label}: not compared, the rebuild of {name} is not finished")
    if row and row.epoch >= oldest and row.since == since and _is_usable(row, verdicts):
        if kind != row.kind:
            row.kind, row.cursor = kind, row.cursor if row.stage in FIRST_STAGES else -1
    else:
        row = Recount(label=label, kind=kind, since=since, verdicts=verdicts)
        row.policy = _by_visitor(label)
        row.started_at = row.touched_at = Now()
        row.number, row.key, row.events = removed
        row.boundary_number, row.boundary_key, row.boundary_events = boundary
        # None of it can come meanwhile: the row is locked, or there is none, and the head.
        if not any(FOUND.first(content_type_of(countable_models()[label]).pk) or [True]):
            row.stage = Recount.Stage.EVENTS
    row.token = secrets.randbelow(2**63 - 1) + 1
    row.epoch = now
    row.save(force_insert=is_new)
    return row


def _by_visitor(label: str) -> str:
    policy = limits().get(label)
    return policy.name if policy else ""


def _is_usable(row: Recount, verdicts: int) -> bool:
    """Tell whether the store has its boundary, nothing that it missed can be read now, and no agent
    was classified anew.
    """
    mended = Segment.objects.filter(number__in=row.corrupt, corrupt_at=None)
    is_present = row.verdicts == verdicts and row.policy == _by_visitor(row.label)
    return is_present and is_known(row.boundary) and not mended.exists()


def locked(row: Recount) -> Recount:
    """Lock the recount in this transaction, and return it as it is now. Raises TakenOver."""
    return _own(row, LOCKED)


def current(row: Recount) -> Recount:
    """Return the recount as it is now. Raises TakenOver."""
    return _own(row, CURRENT)


def _own(row: Recount, rows: Compiled[Recount]) -> Recount:
    found = rows.first(row.label, row.token)
    if found is None:
        raise _taken_over(row)
    return found


def _taken_over(row: Recount) -> TakenOver:
    return TakenOver(f"{row.label}: not compared, another process recounts it, or gave it up")


def touch(row: Recount, now: int | None = None) -> None:
    """Save a locked recount, and that it goes on. now: the epoch, if it is known."""
    row.touched_at = Now()
    row.epoch = epoch() if now is None else now
    row.save()


def run(rows: Sequence[Recount], progress: Progress | None = None) -> list[Recount]:
    """Count up to the boundaries; return the recounts as they are then.

    Raises Incomparable, TakenOver if another process goes on with one of them.
    """
    rows = [_prepare(row, progress) for row in rows]
    while unfinished := [row for row in rows if row.stage != Recount.Stage.DONE]:
        first = min(row.position for row in unfinished)
        group = [row for row in unfinished if row.position == first]
        done = {row.label: row for row in _count_some(group)}
        rows = [done.get(row.label, row) for row in rows]
        if progress and done:
            last = min(rows, key=lambda row: row.position)
            progress("events", last.events, last.boundary_events)
    sql.analyze(Recounted)
    return rows


def advance(row: Recount, boundary: StorePosition) -> Recount:
    """Count on up to a later boundary."""
    with transaction.atomic():
        row = locked(row)
        row.boundary_number, row.boundary_key, row.boundary_events = boundary
        row.stage = Recount.Stage.EVENTS
        touch(row)
    return run([row])[0]


def finish(row: Recount) -> None:
    """End the recount, and remove what it has counted: if that is interrupted, the next does."""
    with transaction.atomic():
        if not Recount.objects.filter(label=row.label, token=row.token).delete()[0]:
            raise _taken_over(row)
        kind = content_type_of(countable_models()[row.label]).pk
        after = _clear_some(kind, -1, visits=bool(row.policy))
    clear(row.label, after)


def clear(label: str, after: int = -1) -> None:
    """Remove what a recount that has ended has counted, of targets with ids above `after`."""
    kind = content_type_of(countable_models()[label]).pk
    while after < LAST_ID:
        with transaction.atomic():
            if Recount.objects.filter(label=label).exists():
                return  # that one removes the rest
            after = _clear_some(kind, after)


def drop_abandoned() -> int:
    """Remove the recounts that are abandoned; return how many. They hold up nothing."""
    return Recount.objects.filter(epoch__lt=epoch() - ABANDONED_AFTER).delete()[0]


def _prepare(row: Recount, progress: Progress | None) -> Recount:
    """Remove what is left of an earlier recount, and copy the base."""
    kind = content_type_of(countable_models()[row.label]).pk
    while row.stage in FIRST_STAGES:
        with transaction.atomic():
            row = locked(row)
            if row.stage == Recount.Stage.CLEAR:
                row.cursor = _clear_some(kind, row.cursor)
            elif row.stage == Recount.Stage.BASE:
                row.cursor = _copy_some(kind, row.cursor, row.since)
            if row.cursor == LAST_ID:
                clear = row.stage == Recount.Stage.CLEAR
                row.stage, row.cursor = FIRST_STAGES[1] if clear else Recount.Stage.EVENTS, -1
            touch(row)
            failpoint("before_recount_commit")
        failpoint("after_recount_commit")
        if progress:
            progress(f"base of {row.label}", 0 if row.stage in FIRST_STAGES else 1, 1)
    return row


def _end_of_some(rows: models.QuerySet[Base] | models.QuerySet[Recounted], after: int) -> int:
    """Return up to which target id there are about CHUNK_ROWS rows; LAST_ID for the last ones."""
    ids = rows.filter(target_id__gt=after).order_by("target_id")
    found: int | None = ids.values_list("target_id", flat=True)[CHUNK_ROWS : CHUNK_ROWS + 1].first()
    return LAST_ID if found is None else found


def _clear_some(kind: int, after: int, *, visits: bool = True) -> int:
    rows = Recounted.objects.filter(content_type=kind)
    last = _end_of_some(rows, after)
    span = {"target_id__gt": after, "target_id__lte": last}
    rows.filter(**span).delete()
    if visits:
        Visit.objects.filter(content_type=kind, beside=True, **span).delete()
    return last


def _copy_some(kind: int, after: int, since: datetime | None) -> int:
    last = _end_of_some(Base.objects.filter(content_type=kind), after)
    columns = ", ".join(["content_type_id", "target_id", "hour", *COLUMNS])
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {Recounted._meta.db_table} ({columns})
            SELECT {columns} FROM {Base._meta.db_table}
            WHERE content_type_id = %s AND target_id > %s AND target_id <= %s AND hour >= %s
            """,  # noqa: S608
            [kind, after, last, connection.ops.adapt_datetimefield_value(since or EPOCH)],
        )
    return last


def _count_some(rows: Sequence[Recount]) -> list[Recount]:
    """Count a chunk of events for recounts that are at one position; return them as they are then.

    Raises Incomparable.
    """
    position = rows[0].position
    end = min((row.boundary for row in rows), key=lambda one: one.number)
    verdicts = current_verdicts()
    try:
        summed, visits, until, unread = _read(position, end, verdicts)
    except PositionLost as reason:
        for row in rows:
            with suppress(TakenOver):
                finish(row)
        raise Incomparable(f"{rows[0].label}: not compared, {reason}") from reason
    with transaction.atomic():
        found, now, version = [locked(row) for row in rows], epoch(), present_version()
        for row in found:
            if row.position != position:
                raise TakenOver(f"{row.label}: not compared, another process recounts it")
            require_verdicts(row, verdicts.version)
            require_verdicts(row, version)
            views = _since(summed.views(row.label), row.since)
            kind = content_type_of(countable_models()[row.label]).pk
            sql.add_views(Recounted, kind, views)
            if row.policy:
                model = countable_models()[row.label]
                add_all(model, visits.of.get(row.label, {}), beside=True)
            row.number, row.key, row.events = until
            row.corrupt = sorted({*row.corrupt, *unread})
            if until.number >= row.boundary_number:
                row.stage = Recount.Stage.DONE
            touch(row, now)
        failpoint("before_recount_commit")
    failpoint("after_recount_commit")
    return found


def require_verdicts(row: Recount, version: int) -> None:
    """Raise Incomparable if the recount tells kinds of agents, and by other verdicts than these.

    version: the present one, as long as it cannot change: in a snapshot, or while the projection
    is locked. Most counters have views of all kinds.
    """
    told = row.kind in KINDS_TOLD or policy_of(countable_models()[row.label]).tells_kinds
    if told and row.verdicts != version:
        raise Incomparable(f"{row.label}: not compared, agents were classified anew: begin again")


def _read(
    position: StorePosition, end: StorePosition, verdicts: Verdicts
) -> tuple[Summed, Visits, StorePosition, set[int]]:
    """Read a chunk of events: views and visits, where they end, and which segments are not read.

    Raises PositionLost.
    """
    start, summed, visits, most = position, Summed(), Visits(), rows_per_transaction()
    unread: set[int] = set()
    for segment in segments_after(position, CHUNK_EVENTS):
        if segment.number > end.number or max(summed.rows, visits.rows) >= most:
            break
        events = load(segment)
        if len(events) != segment.events:
            unread.add(segment.number)
        unread.update(range(position.number + 1, segment.first))
        summed.add(events, verdicts)
        visits.add(events)
        position = StorePosition(segment.number, segment.key, position.events + segment.events)
    if position == start:  # what is before the boundary is missing
        return summed, visits, end, {*range(start.number + 1, end.number + 1)}
    return summed, visits, position, unread


def _since(views: Views, since: datetime | None) -> Views:
    if since is None:
        return views
    first = int(since.timestamp()) // HOUR
    hours = {hour: of_hour for hour, of_hour in views.hours.items() if hour >= first}
    return Views(hours, views.kinds)

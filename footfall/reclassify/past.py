"""Corrects what was counted before verdicts changed, chunk by chunk, while views keep coming.

A chunk is one transaction with its progress, so it goes on from wherever it was interrupted, and
nothing is done twice. The process that goes on takes it over.
"""

import logging
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from footfall.common.compiled import Compiled
from footfall.common.failpoints import failpoint
from footfall.identity import database_now, ensure_identity
from footfall.models import (
    Correcting,
    Correction,
    Kind,
    Projection,
    Reclassification,
    StorePosition,
)
from footfall.projections.rows import HOURLY, lock, name_of
from footfall.projections.visitors.noted import recount_days
from footfall.reclassify.changes import Progress, Unfinished, begin
from footfall.reclassify.moves import Changes, Move, apply, days_of_people, moves_in
from footfall.registry import countable_models
from footfall.store.read import PositionLost, load, segments_after
from footfall.verdicts import Verdicts, left_out

logger = logging.getLogger(__name__)

CHUNK_EVENTS = 200_000
CHUNK_MOVES = 50_000
"""About how many rows of one model a chunk corrects: for so long no view of it is counted by the
hour."""
ALIVE = timedelta(minutes=5)
"""One that went on so recently is left to the process that does it."""
MAX_NUMBERS = 20
UNFINISHED = Compiled(
    lambda: Reclassification.objects.filter(finished_at=None).values_list("pk")[:1]
)


class TakenOver(Exception):
    """Another process goes on with the reclassification."""


@dataclass
class Reclassified:
    """What was done."""

    agents: int = 0
    moved: Counter[str] = field(default_factory=Counter)
    """Views by "from>to", of all models."""
    left: int = 0
    """Views that the rollups did not have as they should."""
    unread: list[int] = field(default_factory=list)
    """Numbers of segments that could not be read, or are missing: their views keep their kinds."""
    lost: list[str] = field(default_factory=list)
    """Projections whose place is not in the store: they are rebuilt instead."""
    waiting: list[str] = field(default_factory=list)
    """Models that this process does not know: another one has to go on with them."""


def reclassify(
    since: datetime | None = None, progress: Progress | None = None
) -> Reclassified | None:
    """Apply what list and rules say today to all events, or to those since a day, UTC.

    Finishes one that was interrupted first. Returns None if there was nothing to do. Raises
    TakenOver if another process goes on with it, and Unfinished if one cannot be finished here.
    """
    done = finish(progress)
    if done and done.waiting:
        raise Unfinished(_waiting(done))
    try:
        row = begin(since, progress)
    except Unfinished:  # another process has begun just now
        return reclassify(since, progress)
    if row is None:
        return done
    return _correct(row, progress)


def _waiting(done: Reclassified) -> str:
    names = ", ".join(done.waiting)
    return f"the reclassification before waits for models that are not known here: {names}"


def finish(progress: Progress | None = None) -> Reclassified | None:
    """Go on with one that was interrupted; return None if there is none. Raises TakenOver."""
    with transaction.atomic():
        rows = Reclassification.objects.select_for_update().filter(finished_at=None)
        row = rows.order_by("pk").first()
        if row is None:
            return None
        row.token = secrets.randbelow(2**63 - 1) + 1
        row.save(update_fields=["token"])
    return _correct(row, progress)


def resume() -> None:
    """Go on with one that was interrupted, unless some process went on with it just now."""
    if not UNFINISHED.all():
        return
    ensure_identity()
    stopped = Reclassification.objects.filter(finished_at=None)
    if stopped.filter(touched_at__lte=database_now() - ALIVE).exists():
        try:
            finish()
        except TakenOver as reason:
            logger.info("the reclassification is not finished here: %s", reason)


def _correct(row: Reclassification, progress: Progress | None) -> Reclassified:
    changes = _changes(row)
    while parts := _unfinished(row):
        first = min(part.position for part in parts)
        group = [part for part in parts if part.position == first]
        _correct_some(row, group, changes)
        if progress:
            progress("events", min(one.events for one in parts), parts[0].boundary_events)
    return _end(row)


def _changes(row: Reclassification) -> Changes:
    agents = row.changed.values_list("agent", "before", "after").iterator()
    visitors = row.changed_visitors.values_list("visitor", "is_out")
    return Changes(
        {bits(agent): (before, after) for agent, before, after in agents},
        {bits(visitor): is_out for visitor, is_out in visitors},
        left_out(),
        Verdicts(row.version),
    )


def bits(number: int) -> bytes:
    """Return what metadata have for a number of `Agent` or `LeftOut`."""
    return number.to_bytes(8, "big", signed=True)


def _unfinished(row: Reclassification) -> list[Correcting]:
    parts = row.parts.filter(done=False).order_by("label")
    return [part for part in parts if part.label in countable_models()]


def _correct_some(row: Reclassification, parts: Sequence[Correcting], changes: Changes) -> None:
    """Correct one chunk of events, for models that are at one position."""
    position = parts[0].position
    end = min((part.boundary for part in parts), key=lambda one: one.number)
    try:
        chunk = _read(position, end, changes)
    except PositionLost as reason:
        for part in parts:
            _give_up(row, part, str(reason))
        return
    for part in parts:
        with transaction.atomic():
            _correct_part(row, part, position, chunk)
            failpoint("before_reclassify_commit")
        failpoint("after_reclassify_commit")


@dataclass
class Chunk:
    """Consecutive events, and what changes of them."""

    until: StorePosition
    moves: dict[str, Counter[Move]] = field(default_factory=dict)
    """By label."""
    unread: set[int] = field(default_factory=set)

    def is_full(self) -> bool:
        return max(map(len, self.moves.values()), default=0) >= CHUNK_MOVES


def _read(position: StorePosition, end: StorePosition, changes: Changes) -> Chunk:
    """Read a chunk of events after `position`, up to `end`. Raises PositionLost."""
    chunk = Chunk(position)
    for segment in segments_after(position, CHUNK_EVENTS):
        if segment.number > end.number or chunk.is_full():
            break
        events = load(segment)
        if len(events) != segment.events:
            chunk.unread.add(segment.number)
        chunk.unread.update(range(chunk.until.number + 1, segment.first))
        for label, moves in moves_in(events, changes).items():
            chunk.moves.setdefault(label, Counter()).update(moves)
        counted = chunk.until.events + segment.events
        chunk.until = StorePosition(segment.number, segment.key, counted)
    if chunk.until == position:  # what is before the boundary is missing
        chunk.until = end
        chunk.unread.update(range(position.number + 1, end.number + 1))
    return chunk


def _lock(row: Reclassification, part: Correcting) -> tuple[Projection | None, Correcting]:
    """Lock the projection, and the part as it is now. Raises TakenOver."""
    projections = lock(part.label, [HOURLY])
    own = Reclassification.objects.select_for_update().filter(pk=row.pk, token=row.token)
    if not own:
        raise TakenOver("another process goes on with it")
    own.update(touched_at=Now())
    found = Correcting.objects.select_for_update().filter(pk=part.pk, done=False).first()
    if found is None or found.position != part.position:
        raise TakenOver(f"another process has gone on with {part.label}")
    return projections[0] if projections else None, found


def _correct_part(
    row: Reclassification, part: Correcting, position: StorePosition, chunk: Chunk
) -> None:
    _projection, part = _lock(row, part)
    moves = chunk.moves.get(part.label, Counter())
    moved, left = apply(countable_models()[part.label], moves)
    recount_days(part.label, days_of_people(moves))
    part.moved = dict(Counter(part.moved) + moved)
    part.left += left
    part.corrupt = sorted({*part.corrupt, *chunk.unread})
    part.number, part.key, part.events = chunk.until
    if part.number >= part.boundary_number:
        part.done = True
        _note(row, part)
    part.save()


def _give_up(row: Reclassification, part: Correcting, reason: str) -> None:
    """Leave a model to a rebuild: declare the position of its projection lost."""
    with transaction.atomic():
        projection, part = _lock(row, part)
        if projection:
            projection.key = -1
            projection.save(update_fields=["key"])
        recount_days(part.label)
        logger.error("%s is rebuilt instead of reclassified: %s", part.label, reason)
        part.done = part.is_lost = True
        _note(row, part)
        part.save()


def _note(row: Reclassification, part: Correcting) -> None:
    """Write the ledger: of what was moved, the views of people before and after."""
    people = str(Kind.PERSON.value)
    before = sum(n for how, n in part.moved.items() if how.partition(">")[0] == people)
    after = sum(n for how, n in part.moved.items() if how.partition(">")[2] == people)
    Correction.objects.create(
        kind=Correction.Kind.RECLASSIFY,
        label=part.label,
        before=before,
        after=after,
        text=f"{row.agents} agents classified anew, {row.changed_visitors.count()} visitors left"
        f" out or counted again: {described(part.moved)}"
        + (f", from {row.since:%Y-%m-%d} on" if row.since else "")
        + (f"; {part.left} views were not in the rollups" if part.left else "")
        + (f"; segments {numbered(part.corrupt)} cannot be read" if part.corrupt else "")
        + ("; the position was lost, so the rollups are rebuilt" if part.is_lost else ""),
    )


def described(moved: dict[str, int]) -> str:
    """Return in words what was moved: {"1>2": 20}."""
    texts = []
    for how, views in sorted(moved.items()):
        before, after = (Kind(int(kind)).name.lower() for kind in how.split(">"))
        texts.append(f"{views} views from {before} to {after}")
    return ", ".join(texts) or "no view has another kind"


def numbered(numbers: Sequence[int]) -> str:
    """Return the first of these numbers as a text."""
    more = ", ..." if len(numbers) > MAX_NUMBERS else ""
    return ", ".join(map(str, numbers[:MAX_NUMBERS])) + more


def _end(row: Reclassification) -> Reclassified:
    """Note that it is finished, unless models wait that are not known here."""
    with transaction.atomic():
        own = Reclassification.objects.select_for_update().filter(pk=row.pk, token=row.token)
        if not own:
            raise TakenOver("another process goes on with it")
        parts = list(row.parts.order_by("label"))
        done = Reclassified(row.agents)
        for part in parts:
            done.moved.update(part.moved)
            done.left += part.left
            done.unread = sorted({*done.unread, *part.corrupt})
        done.lost = [name_of(HOURLY, part.label) for part in parts if part.is_lost]
        done.waiting = [part.label for part in parts if not part.done]
        if not done.waiting:
            own.update(finished_at=Now())
        failpoint("before_reclassify_end")
    failpoint("after_reclassify_end")
    return done


def events_left() -> int:
    """Return how many events are still to be corrected."""
    parts = Correcting.objects.filter(done=False)
    return max((part.boundary_events - part.events for part in parts), default=0)


def forget(label: str) -> None:
    """Leave out a model that is dropped, or starts over: its projection locked, or lost."""
    if Correcting.objects.filter(label=label, done=False).update(done=True):
        recount_days(label)

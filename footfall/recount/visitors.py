"""Counts the visitors of whole days again: a sketch cannot take a visitor out.

A day that is to be counted again has a row. It is counted from the events in the store, chunk by
chunk, into sketches beside the present ones; then these are replaced, in one transaction. So it
goes on from wherever it was interrupted. A day of which a part has left the store keeps what it
has.
"""

import logging
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from django.db import models, transaction
from django.db.models import F, Subquery, Sum, Value
from django.db.models.functions import Coalesce, TruncDay

from footfall.common.chunks import chunks
from footfall.common.failpoints import failpoint
from footfall.models import (
    Base,
    Correction,
    Segment,
    StoreHead,
    VisitorRecount,
    VisitorSketch,
)
from footfall.models.recount import NOT_BEGUN
from footfall.projections.rows import BEGINNING, VISITORS, lock, name_of
from footfall.projections.visitors import daily as visitors
from footfall.projections.visitors.daily import (
    ALL,
    CHUNK_SIZE,
    DAY,
    Encoded,
    Visits,
    decoded,
    number_of,
)
from footfall.projections.visitors.noted import days_of, recount_days
from footfall.projections.visitors.sketches import Damaged, Sketch, union
from footfall.registry import content_type_of, countable_models
from footfall.store.read import PositionLost, is_known, load
from footfall.verdicts import current, present_version

logger = logging.getLogger(__name__)

CHUNK_EVENTS = 200_000
"""Events that one transaction counts."""
MAX_SEGMENTS = 500
"""Segments that one transaction reads."""

Progress = Callable[[str, int, int], None]


class TakenOver(Exception):
    """Another process goes on with the day, or has done it."""


@dataclass
class Recounted:
    """What became of the days that were to be counted again."""

    changed: list[date] = field(default_factory=list)
    """Those of which the visitors of all targets together are others now."""
    same: list[date] = field(default_factory=list)
    kept: list[date] = field(default_factory=list)
    """Those that keep what they had: a part of them has left the store."""
    unread: list[date] = field(default_factory=list)
    """Those of which no visitor was taken out, since segments cannot be read."""


def recount_noted(
    labels: Collection[str] | None = None, progress: Progress | None = None
) -> Recounted:
    """Count all days again that are to be, of these models, or of all that this process knows.

    Days that another process counts meanwhile are left to it.
    """
    done = Recounted()
    left = _Left()
    known = [label for label in countable_models() if labels is None or label in labels]
    noted = VisitorRecount.objects.filter(label__in=known).order_by("label", "-day")
    keys = list(noted.values_list("label", "day"))
    for place, (label, day) in enumerate(keys):
        try:
            _recount(label, day, left, done)
        except (TakenOver, PositionLost):  # the segments that it has read are gone: next time
            continue
        except Damaged as error:
            logger.error(
                "the visitors of %s, %s, are counted from the beginning: %s", label, day, error
            )
            VisitorRecount.objects.filter(label=label, day=day).update(number=NOT_BEGUN)
            continue
        if progress:
            progress(name_of(VISITORS, label), place + 1, len(keys))
    return done


class _Left:
    """The days of which a part has left the store: their views are in the base."""

    def __init__(self) -> None:
        self._removed: dict[str, int] = {}
        self._days: dict[str, set[date]] = {}

    def has(self, label: str, day: date) -> bool:
        """Tell it as this transaction sees it. Reads the base anew if more has left meanwhile."""
        head = StoreHead.objects.values_list("removed_number", flat=True).order_by("pk").first()
        if self._removed.get(label) != (head or 0):
            content_type = content_type_of(countable_models()[label])
            rows = Base.objects.filter(content_type=content_type).order_by()
            found = rows.annotate(at=TruncDay("hour", tzinfo=UTC)).values_list("at", flat=True)
            self._days[label] = {at.date() for at in found.distinct()}
            self._removed[label] = head or 0
        return day in self._days[label]


def _recount(label: str, day: date, left: _Left, done: Recounted) -> None:
    """Count a day again, and replace its sketches. Raises TakenOver or PositionLost."""
    model = countable_models()[label]
    row = _take(label, day)
    what = None
    while what is None:
        more = True
        while more:
            with transaction.atomic():
                row, more = _count_some(model, _locked(row))
                failpoint("before_visitors_commit")
            failpoint("after_visitors_commit")
        with transaction.atomic():
            lock(label, [VISITORS])  # before the row, as a reclassification does
            row = _locked(row)
            if row.verdicts == present_version():
                while _count_some(model, row)[1]:
                    pass
                what = _replace(model, row, left)
                row.delete()
            failpoint("before_visitors_swap")
        failpoint("after_visitors_swap")
    getattr(done, what).append(day)


def _take(label: str, day: date) -> VisitorRecount:
    """Begin with a day, or go on with it. Raises TakenOver if it is done."""
    token = secrets.randbelow(2**63 - 1) + 1
    noted = VisitorRecount.objects.filter(label=label, day=day)
    if not noted.update(token=token):
        raise TakenOver
    row = noted.filter(token=token).first()
    if row is None:
        raise TakenOver
    return row


def _locked(row: VisitorRecount) -> VisitorRecount:
    """Lock the row in this transaction, and return it as it is now. Raises TakenOver."""
    rows = VisitorRecount.objects.select_for_update()
    found = rows.filter(label=row.label, day=row.day, token=row.token).first()
    if found is None:
        raise TakenOver
    return found


def _count_some(model: type[models.Model], row: VisitorRecount) -> tuple[VisitorRecount, bool]:
    """Count a chunk of events of the day; return whether there are more. Raises PositionLost.

    Begins again if verdicts have changed. Call it while the row is locked.
    """
    verdicts = current()
    if row.number == NOT_BEGUN or row.verdicts != verdicts.version:
        visitors.rows_of(model, row.day, beside=True).delete()
        row.verdicts, row.number, row.unread = verdicts.version, 0, False
    first, seen = number_of(row.day), 0
    visits = Visits(BEGINNING, BEGINNING, verdicts)
    of_day = Segment.objects.filter(first_at__lt=(first + 1) * DAY, last_at__gte=first * DAY)
    after = of_day.filter(number__gt=row.number).defer("data").order_by("number")
    for segment in after[:MAX_SEGMENTS]:
        events = load(segment, row.number)
        if len(events):
            visits.add(events, {first})
        elif segment.events:
            row.unread = True
        seen += segment.events
        row.number = segment.number
        if seen >= CHUNK_EVENTS:
            break
    visitors.apply(model, visits, beside=True)
    row.save()
    return row, seen > 0 and after.filter(number__gt=row.number).exists()


def _replace(model: type[models.Model], row: VisitorRecount, left: _Left) -> str:
    """Put the new sketches in the place of the present ones; return what became of the day."""
    label, day = row.label, row.day
    present, beside = (visitors.rows_of(model, day, beside=one) for one in (False, True))
    before = _all(model, day)
    unread = row.unread or _is_incomplete()
    if left.has(label, day) or (unread and present.filter(sketch=b"").exists()):
        mended = _mend(model, day)
        beside.delete()
        _note(row, before, _all(model, day), _kept(mended))
        return "kept"
    if unread:
        _keep_people(model, day)
    present.delete()
    beside.update(beside=False)
    after = _all(model, day)
    if unread:
        _note(row, before, after, "nobody was taken out, since segments cannot be read")
        return "unread"
    if after != before or row.reason == Correction.Kind.REPAIR:
        _note(row, before, after, "counted again")
    return "same" if after == before else "changed"


def _all(model: type[models.Model], day: date) -> int:
    rows = visitors.rows_of(model, day).filter(target_id=ALL)
    return rows.values_list("visitors", flat=True).first() or 0


def _note(row: VisitorRecount, before: int, after: int, what: str) -> None:
    Correction.objects.create(
        kind=row.reason,
        label=row.label,
        before=before,
        after=after,
        text=f"{name_of(VISITORS, row.label)}: visitors of {row.day}: {what}",
    )


def _kept(mended: int) -> str:
    damaged = f"; {mended} damaged sketches have those of what is left" if mended else ""
    return f"it keeps what it had, since events of it have left the store{damaged}"


def _mend(model: type[models.Model], day: date) -> int:
    """Replace sketches that are damaged by what is beside; return how many.

    All targets together are those of each.
    """
    present, beside = (visitors.rows_of(model, day, beside=one) for one in (False, True))
    damaged = {row.target_id for row in present.iterator(CHUNK_SIZE) if _is_damaged(row)}
    new = {
        row.target_id: Sketch.decode(bytes(row.sketch))
        for row in beside.filter(target_id__in=damaged)
    }
    if ALL in damaged:
        whole = present.exclude(target_id__in=damaged).iterator(CHUNK_SIZE)
        sketches = (decoded(row.sketch) or Sketch() for row in whole)
        new[ALL] = union([new.get(ALL, Sketch()), *sketches])
    present.filter(target_id__in=damaged).delete()
    encoded = {target: Encoded.of(sketch) for target, sketch in new.items()}
    visitors.write(model, day, encoded, beside=False)
    return len(damaged)


def _is_damaged(row: VisitorSketch) -> bool:
    try:
        decoded(row.sketch)
    except Damaged:
        return True
    return False


def _is_incomplete() -> bool:
    """Tell whether a segment is missing between what has left the store and its end."""
    rows = Segment.objects.order_by().annotate(all=Value(1)).values("all")
    there = rows.annotate(n=Sum(F("number") - F("first") + 1)).values("n")
    heads = StoreHead.objects.order_by("pk").annotate(there=Coalesce(Subquery(there), 0))
    return heads.filter(there__lt=F("number") - F("removed_number")).exists()


def _keep_people(model: type[models.Model], day: date) -> None:
    """Add the people of the present sketches to the new ones."""
    rows = visitors.rows_of(model, day)
    for ids in chunks(sorted(rows.values_list("target_id", flat=True)), CHUNK_SIZE):
        new = visitors.rows_of(model, day, beside=True).filter(target_id__in=ids)
        merged = {row.target_id: decoded(row.sketch) or Sketch() for row in new}
        for row in rows.filter(target_id__in=ids):
            with suppress(Damaged):  # nothing of it can be kept
                present = decoded(row.sketch) or Sketch()
                merged.setdefault(row.target_id, Sketch()).merge(present)
        whole = {target: Encoded.of(sketch) for target, sketch in merged.items()}
        visitors.write(model, day, whole, beside=True)


def recount_all(label: str, since: datetime | None, progress: Progress | None = None) -> Recounted:
    """Count the visitors of a model again, while events keep coming. Goes on with what stopped.

    since: only days from then on. A projection whose position is lost goes on at the end of the
    store: all that is before is counted again. So it is if it went on with other verdicts.
    """
    with transaction.atomic():
        (row,) = lock(label, [VISITORS])
        if not is_known(row.position):
            head = StoreHead.objects.select_for_update().order_by("pk").first()
            row.number, row.key, row.events = head.position if head else BEGINNING
            row.failed_at, row.error, since = None, "", None
        if row.verdicts != present_version():
            row.verdicts, since = present_version(), None
        row.save()
        first = since.date() if since else None
        recount_days(label, days_of(label, first), Correction.Kind.REBUILD)
        failpoint("before_visitors_rebuild")
    failpoint("after_visitors_rebuild")
    return recount_noted([label], progress)

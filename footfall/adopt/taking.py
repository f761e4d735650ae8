"""Puts what was counted before into the base: what the ledger has of a source is not taken again.

Each chunk is one transaction, with counters, base, rollups and ledger. So it may be interrupted
anywhere, and a second run takes what has been counted since.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import models, transaction
from django.db.models import Max

from footfall import sql
from footfall.adopt.sources import Key, Source
from footfall.cache.invalidation import invalidate
from footfall.common.failpoints import failpoint
from footfall.models import COLUMNS, KIND_COLUMNS, Base, Correction, Kind, Recount
from footfall.projections.kept.rows import insert, missing, note_change
from footfall.projections.rows import HOURLY, TOTALS, lock, open_missing
from footfall.recount.adopt import UNKNOWN_HOUR
from footfall.recount.counting import Progress
from footfall.registry import (
    content_type_of,
    counter_field,
    database_of,
    id_in,
    is_kept,
    owner_of,
    policy_of,
)
from footfall.sql.batch import Row, summed
from footfall.store.append import locked_head

MAX_NAMED = 20
PLACES = {kind: 1 + place for place, kind in enumerate(KIND_COLUMNS)}
"""Where the views of a kind are among the numbers of COLUMNS; before them all, those of any."""

Hours = Mapping[int, tuple[int, ...]]
"""By hour since 1970: a number for each of COLUMNS."""


class Before(NamedTuple):
    """What was taken of a target before, and when the last of it was."""

    views: int = 0
    at: datetime | None = None


NEVER = Before()


@dataclass
class Taken:
    """What became of what a source has."""

    targets: int = 0
    views: int = 0
    by_hour: int = 0
    """Of these views: those whose hour is known."""
    kinds: Counter[Kind] = field(default_factory=Counter)
    """Of these: by kind of agent, as far as it is known."""
    before: int = 0
    """Views that were taken earlier."""
    deleted: int = 0
    """Views of targets that do not exist."""
    named: tuple[Key, ...] = ()
    """The first of them."""
    lower: int = 0
    """Targets of which the source has less than was taken: nothing is taken back."""


def take(
    model: type[models.Model],
    source: Source,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Taken:
    """Take what `source` has counted of the model, and was not taken yet, into the base.

    Views whose time is known are taken by the hour and kind of agent, all others at an unknown
    time. Counters grow by what their policy counts of them, the latter in any case. dry_run:
    nothing is written. Raises NotFound.
    """
    home = counter_field(model).model
    label = home._meta.label_lower
    if not dry_run:
        open_missing([label])
    taking, done, of = Taking(home, label, source, dry_run), 0, 0
    for counts in source.counts():
        of = of or rows_of(home).count()
        taking.some(counts)
        done += len(counts)
        if progress:
            progress(label, min(done, of), of)
    return taking.taken


class Taking:
    """One run."""

    def __init__(
        self, model: type[models.Model], label: str, source: Source, dry_run: bool
    ) -> None:
        self.taken = Taken()
        self._model, self._label, self._source, self._dry_run = model, label, source, dry_run
        self._texts: dict[int, str] = {}
        """The keys of what is taken, by id."""
        self._text = f"counted by {source.name}, taken into the base"

    def some(self, counts: Mapping[Key, int]) -> None:
        """Take what is new of these keys, in one transaction or more."""
        ids = ids_of(self._model, counts)
        self._note_deleted({key: n for key, n in counts.items() if key not in ids})
        before = self._before(ids.values())
        new = {}
        for key, target in ids.items():
            taken = before.get(target, NEVER).views
            self.taken.before += min(taken, counts[key])
            self.taken.lower += counts[key] < taken
            if counts[key] > taken:
                new[key] = counts[key] - taken
        self._texts = {ids[key]: str(key) for key in new}
        hits = self._source.hits({key: before.get(ids[key], NEVER).at for key in new})
        found = {}
        for key, views in new.items():
            found[ids[key]] = fitting(_by_hour(hits.get(key, Counter())), views)
        for some in _parts(found):
            if self._dry_run:
                self._note(some)
            else:
                self._write(some, before)

    def _write(self, found: Mapping[int, Hours], before: Mapping[int, Before]) -> None:
        # Perhaps in another database: nothing is locked meanwhile.
        rows = missing(self._model, found, lambda: self._texts) if is_kept(self._model) else []
        with transaction.atomic():
            lock(self._label, [TOTALS, HOURLY])  # nothing is counted, nor taken, meanwhile
            now = self._before(found)
            found = {
                target: hours
                for target, hours in found.items()
                if now.get(target, NEVER) == before.get(target, NEVER)
            }
            insert(self._model, [row for row in rows if row.target_id in found])
            self._add(found)
            Correction.objects.bulk_create(
                Correction(
                    kind=Correction.Kind.ADOPT,
                    label=self._label,
                    target_id=target,
                    before=now.get(target, NEVER).views,
                    after=now.get(target, NEVER).views + _views(hours),
                    text=self._text,
                )
                for target, hours in sorted(found.items())
            )
            # A recount that has copied the base before this would take it for too much.
            locked_head()
            Recount.objects.filter(label=self._label).delete()
            failpoint("before_adopt_commit")
        failpoint("after_adopt_commit")
        self._note(found)

    def _add(self, found: Mapping[int, Hours]) -> None:
        """Add to the counters, the base and the rollups."""
        rows: list[Row] = [
            (hour, target, numbers)
            for target, hours in found.items()
            for hour, numbers in hours.items()
        ]
        place = COLUMNS.index(policy_of(self._model).column)
        counted: Counter[int] = Counter()
        for hour, target, numbers in rows:
            counted[target] += numbers[0 if hour == UNKNOWN_HOUR else place]
        if is_kept(self._model):
            note_change(self._model)
        sql.add_counts(self._model, +counted)
        sql.add_views(Base, content_type_of(self._model).pk, summed(rows))
        views = summed(row for row in rows if row[0] != UNKNOWN_HOUR)
        sql.add_rollups(self._model, views)
        sql.add_hour_totals(self._model, views.totals())
        invalidate(self._model, sorted(found), counter_lowered=True)  # lower copies, too

    def _before(self, ids: Iterable[int]) -> dict[int, Before]:
        rows = Correction.objects.filter(
            kind=Correction.Kind.ADOPT, label=self._label, text=self._text, target_id__in=list(ids)
        )
        sums = rows.order_by().values_list("target_id").annotate(Max("after"), Max("at"))
        return {target: Before(views, at) for target, views, at in sums}

    def _note(self, found: Mapping[int, Hours]) -> None:
        self.taken.targets += len(found)
        for hours in found.values():
            self.taken.views += _views(hours)
            known = [numbers for hour, numbers in hours.items() if hour != UNKNOWN_HOUR]
            self.taken.by_hour += sum(numbers[0] for numbers in known)
            for kind, place in PLACES.items():
                self.taken.kinds[kind] += sum(numbers[place] for numbers in known)

    def _note_deleted(self, counts: Mapping[Key, int]) -> None:
        self.taken.deleted += sum(counts.values())
        self.taken.named = (*self.taken.named, *counts)[:MAX_NAMED]


def ids_of(model: type[models.Model], keys: Mapping[Key, object]) -> dict[Key, int]:
    """Return the ids of the targets with these keys that exist, by key."""
    there = rows_of(model).filter(pk__in=list(keys))
    return {key: id_in(model, key) for key in there.values_list("pk", flat=True)}


def rows_of(model: type[models.Model]) -> models.QuerySet[models.Model]:
    """Return the rows of the project that are counted, wherever their counters are."""
    return owner_of(model)._base_manager.using(database_of(model)).all()


def fitting(hours: Hours, views: int) -> Hours:
    """Return the latest of the hours that have no more than so many views, and the rest at an
    unknown time.
    """
    found, left = {}, views
    for hour, numbers in sorted(hours.items(), reverse=True):
        if hour <= UNKNOWN_HOUR or numbers[0] > left:
            break
        found[hour] = numbers
        left -= numbers[0]
    if left:
        found[UNKNOWN_HOUR] = (left, *(0 for _ in PLACES))
    return found


def _by_hour(hits: Mapping[tuple[int, Kind], int]) -> Hours:
    found: dict[int, list[int]] = {}
    for (hour, kind), times in hits.items():
        numbers = found.setdefault(hour, [0] * len(COLUMNS))
        numbers[0] += times
        if place := PLACES.get(kind):
            numbers[place] += times
    return {hour: tuple(numbers) for hour, numbers in found.items()}


def _views(hours: Hours) -> int:
    return sum(numbers[0] for numbers in hours.values())


def _parts(found: Mapping[int, Hours]) -> Iterator[Mapping[int, Hours]]:
    """Yield parts that one transaction may write."""
    most, part, rows = sql.rows_per_transaction(), dict[int, Hours](), 0
    for target, hours in found.items():
        if part and rows + len(hours) > most:
            yield part
            part, rows = {}, 0
        part[target] = hours
        rows += len(hours)
    if part:
        yield part

"""Adopts a column that had counts before: what nothing explains of them goes into the base."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from footfall import sql
from footfall.common.failpoints import failpoint
from footfall.models import Base, Correction, Projection, Recounted
from footfall.projections.kept.rows import columns_without_row, keep_counted
from footfall.projections.rows import TOTALS, name_of, open_missing
from footfall.recount.comparison import highest_id, ranges
from footfall.recount.counters import Counters, Explained
from footfall.recount.counting import Progress, finish, run, take, touch
from footfall.recount.gap import Incomparable, positions
from footfall.registry import content_type_of, countable_models, counter_field
from footfall.sql.batch import Views
from footfall.store.read import is_known, store_head

CHUNK_SIZE = 2_000  # targets that one transaction adopts
UNKNOWN_HOUR = 0
MAX_NAMED = 20


@dataclass
class Adopted:
    """What became of the counters of one model."""

    targets: int = 0
    views: int = 0
    too_low: int = 0
    """Counters that are lower than they should be: these are left to a repair."""
    named: tuple[int, ...] = ()
    """The first of them."""


def adopt(label: str, progress: Progress | None = None, *, dry_run: bool = False) -> Adopted:
    """Take what nothing explains of the model's counters into the base, at an unknown time.

    Each chunk is a transaction; called again, it goes on, and adopts nothing twice. dry_run: it is
    only counted. Raises Incomparable if something is in the way, such as a segment that cannot be
    read.
    """
    if not dry_run:
        open_missing([label])
        keep_counted(countable_models()[label])
    position = positions(label).get(TOTALS, store_head().position if dry_run else None)
    if position is None or not is_known(position):
        raise Incomparable(f"{label}: its counters have no position in the event store")
    (recount,) = run([take(label, "adopt", position)], progress)
    counters, adopted, highest = Counters(recount), Adopted(), highest_id(label)
    for after, last in ranges(counters.model, CHUNK_SIZE):
        with transaction.atomic():
            counters.lock()
            _refuse_if_unread(counters)
            _adopt_some(counters, after, last, adopted, dry_run=dry_run)
            touch(counters.recount)
            failpoint("before_adopt_commit")
        failpoint("after_adopt_commit")
        if progress:
            progress(label, min(last, highest), highest)
    if dry_run:
        _note_columns(counters, adopted)
    else:
        Projection.objects.filter(name=name_of(TOTALS, label)).update(
            counted_before=Projection.Counted.NO
        )
    finish(counters.recount)
    return adopted


def _refuse_if_unread(counters: Counters) -> None:
    if counters.unread:
        numbers = ", ".join(map(str, counters.unread[:MAX_NAMED]))
        raise Incomparable(
            f"{counters.recount.label}: segments {numbers} cannot be read, so their views would"
            " count twice once they are mended; put them back or discard them first"
        )


def _note_columns(counters: Counters, adopted: Adopted) -> None:
    """Note what would be adopted of columns that would get a row of `KeptCounter` first."""
    for columns in columns_without_row(counters.model):
        with transaction.atomic():
            counters.lock()
            _note(columns, counters.explain(columns), adopted)


def _note(
    present: Mapping[int, int], explained: Mapping[int, Explained], adopted: Adopted
) -> dict[int, int]:
    """Note what is adopted of counters, by id, and return it."""
    views = {pk: n - explained[pk].views for pk, n in present.items()}
    more = {pk: n for pk, n in views.items() if n > 0}
    too_low = sorted(pk for pk, n in views.items() if n < 0)
    adopted.targets += len(more)
    adopted.views += sum(more.values())
    adopted.too_low += len(too_low)
    adopted.named = (*adopted.named, *too_low)[:MAX_NAMED]
    return more


def _adopt_some(
    counters: Counters, after: int, last: int, adopted: Adopted, *, dry_run: bool
) -> None:
    """Add the differences to base and recount alike: so they are none afterwards."""
    model, label = counters.model, counters.recount.label
    differing = model._base_manager.filter(pk__in=counters.differing(after, last))
    present = dict(sql.lock(differing).values_list("pk", counter_field(model).name))
    explained = counters.explain(present)
    more = _note(present, explained, adopted)
    if dry_run:
        return
    kind = content_type_of(model).pk
    sql.add_views(Base, kind, Views({UNKNOWN_HOUR: more}))
    sql.add_views(Recounted, kind, Views({UNKNOWN_HOUR: more}))
    Correction.objects.bulk_create(
        Correction(
            kind=Correction.Kind.ADOPT,
            label=label,
            target_id=pk,
            before=explained[pk].views,
            after=present[pk],
            text="views from before the counting, taken into the base",
        )
        for pk in sorted(more)
    )

"""What was viewed before of targets that get a counter: a key may have been deleted and made again.

The counter of a key is what its events say, whatever became of its row meanwhile.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models import Sum

from footfall import sql
from footfall.common.chunks import chunks
from footfall.models import COLUMNS, VIEWS, Adjustment, Base, Projection, Rollup, StorePosition
from footfall.models.store import EPOCH
from footfall.projections.policies import REBUILDING
from footfall.projections.rows import HOURLY, TOTALS, name_of
from footfall.registry import content_type_of, policy_of
from footfall.sql.batch import MAX_COUNTER
from footfall.store.read import PositionLost, is_known, load, segments_after
from footfall.store.views import Summed
from footfall.verdicts import current

CHUNK_SIZE = 1_000  # ids that one statement looks up
MAX_EVENTS = 500_000
"""With more events between counters and rollups, a rebuild counts the targets again."""


def viewed_before(model: type[models.Model], ids: Collection[int]) -> dict[int, int]:
    """Return the views that counters of these targets should have, without those with none.

    At the position of `totals`: call it while that is locked. What rollups cannot tell is left to
    a rebuild, which is noted and comes by itself within minutes. Raises sql.LockTimeout while
    another process applies `hourly`.
    """
    if not _noted(model, ids):
        return {}
    between = None if policy_of(model).most else _between(model, ids)
    if between is None:
        _leave_to_a_rebuild(model)
        return {}
    found = _noted(model, ids)  # again: `hourly` is locked now
    found.update(between)
    return {one: min(n, MAX_COUNTER) for one, n in found.items() if n > 0}


def _noted(model: type[models.Model], ids: Collection[int]) -> Counter[int]:
    """Return what rollups, base and adjustments have of targets; none of a target without any."""
    found: Counter[int] = Counter()
    for table in (Rollup, Base, Adjustment):
        for some in chunks(sorted(ids), CHUNK_SIZE):
            found.update(_sums(table, model, some))
    return found


def _sums(
    table: type[Rollup] | type[Base] | type[Adjustment],
    model: type[models.Model],
    ids: Collection[int],
) -> dict[int, int]:
    """Return what a table has of the targets: of the base only what has no hour."""
    rows: Any = table._default_manager
    rows = rows.filter(content_type=content_type_of(model), target_id__in=ids).order_by()
    column = policy_of(model).column
    if table is Base:
        rows, column = rows.filter(hour=EPOCH), VIEWS
    elif table is Adjustment:
        column = "amount"
    return dict(rows.values_list("target_id").annotate(n=Sum(column)))


def _between(model: type[models.Model], ids: Collection[int]) -> Counter[int] | None:
    """Return the views that counters have and rollups do not, or less than 0; None if unknown."""
    label = model._meta.label_lower
    totals = Projection.objects.filter(name=name_of(TOTALS, label)).first()
    named = Projection.objects.filter(name=name_of(HOURLY, label))
    hourly = named.select_for_update(skip_locked=True).first()
    if hourly is None and named.exists():
        raise sql.LockTimeout(f"{name_of(HOURLY, label)} is being applied")
    if totals is None or hourly is None or not _agree(model, hourly):
        return None
    if hourly.position <= totals.position:
        return _views(model, ids, hourly.position, totals.position)
    views = _views(model, ids, totals.position, hourly.position)
    return None if views is None else Counter({one: -n for one, n in views.items()})


def _agree(model: type[models.Model], hourly: Projection) -> bool:
    """Tell whether rollups have the kinds of agents that a counter would have now."""
    return not policy_of(model).tells_kinds or hourly.verdicts == current().version


def _views(
    model: type[models.Model], ids: Collection[int], after: StorePosition, until: StorePosition
) -> Counter[int] | None:
    """Return the views between two positions; None if there are too many or one is lost."""
    label, policy, summed = model._meta.label_lower, policy_of(model), Summed()
    if until.events - after.events > MAX_EVENTS or not is_known(until):
        return None
    try:
        for segment in segments_after(after):
            if segment.number <= until.number:
                summed.add(load(segment), current() if policy.tells_kinds else None)
    except PositionLost:
        return None
    place, views = COLUMNS.index(policy.column), Counter[int]()
    for _hour, target, numbers in summed.views(label).rows():
        if target in ids:
            views[target] += numbers[place]
    return views


def _leave_to_a_rebuild(model: type[models.Model]) -> None:
    name = policy_of(model).name
    totals = Projection.objects.filter(name=name_of(TOTALS, model._meta.label_lower))
    totals.filter(policy=name).update(policy=name + REBUILDING)

"""How many people viewed: of one target or many, on one day or several. Days are UTC.

Several targets together have fewer people than the sum of each: sketches are merged. Several days
are a sum, since a visitor has another hash on the next day; with a salt for several days
(COUNTERS_VISITOR_DAYS) their sketches are merged, too, and people are counted once for each salt.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from itertools import chain

from django.db import models
from django.db.models import Sum

from footfall.common.chunks import chunks
from footfall.conf import conf
from footfall.models import VisitorSketch
from footfall.projections.visitors.daily import ALL, CHUNK_SIZE, decoded
from footfall.projections.visitors.sketches import Damaged, Sketch
from footfall.registry import content_type_of, countable_models

logger = logging.getLogger(__name__)

Days = Mapping[date, int]
"""Visitors by day; days without any are left out."""


def is_sum_of_days() -> bool:
    """Tell whether the visitors of several days are the sum of each day's."""
    return conf.COUNTERS_VISITOR_DAYS == 1


def visitors_of(
    model: type[models.Model], ids: Collection[int], since: date, until: date
) -> dict[int, Days]:
    """Return the visitors of each target on each day from `since` until before `until`, by id."""
    found: dict[int, dict[date, int]] = {target: {} for target in ids}
    for some in chunks(sorted(found), CHUNK_SIZE):
        rows = _rows(model, since, until).filter(target_id__in=some)
        for target, day, visitors in rows.values_list("target_id", "day", "visitors"):
            found[target][day] = visitors
    return dict(found)


def visitors_of_all(model: type[models.Model], since: date, until: date) -> Days:
    """Return the visitors of all targets of `model` together, on each day."""
    return visitors_of(model, [ALL], since, until)[ALL]


def visitors_in(
    model: type[models.Model], ids: Collection[int], since: date, until: date
) -> dict[int, int]:
    """Return the visitors of each target from `since` until before `until`, by id."""
    if is_sum_of_days():
        found = dict.fromkeys(ids, 0)
        for some in chunks(sorted(found), CHUNK_SIZE):
            rows = _rows(model, since, until).filter(target_id__in=some).order_by()
            found |= dict(rows.values_list("target_id").annotate(Sum("visitors")))
        return found
    return {target: distinct_in(model, [target], since, until) for target in ids}


def distinct_of(model: type[models.Model], ids: Collection[int], since: date, until: date) -> Days:
    """Return the distinct visitors of these targets together, on each day: of a page, of a type.

    A day whose sketches are no longer kept is left out, unless there is only one target.
    """
    if len(ids) == 1:
        return visitors_of(model, ids, since, until)[next(iter(ids))]
    return _counts(_unions(_sketches(model, ids, since, until)))


def distinct_in(model: type[models.Model], ids: Collection[int], since: date, until: date) -> int:
    """Return the distinct visitors of these targets from `since` until before `until`.

    With a new salt each day it is the sum of the days.
    """
    if is_sum_of_days():
        return sum(distinct_of(model, ids, since, until).values())
    together, dropped = Sketch(), 0
    for row in _sketches(model, ids, since, until):
        if sketch := _sketch_of(row):
            together.merge(sketch)
        else:
            dropped += row.visitors if len(ids) == 1 else 0
    return together.count() + dropped


def distinct_in_all(since: date, until: date) -> Days:
    """Return the distinct visitors of everything that is counted, on each day."""
    counted = countable_models().values()
    rows = chain.from_iterable(_sketches(model, [ALL], since, until) for model in counted)
    return _counts(_unions(rows))


def _rows(model: type[models.Model], since: date, until: date) -> models.QuerySet[VisitorSketch]:
    return VisitorSketch.objects.filter(
        content_type=content_type_of(model), beside=False, day__gte=since, day__lt=until
    )


def _sketches(
    model: type[models.Model], ids: Collection[int], since: date, until: date
) -> Iterable[VisitorSketch]:
    for some in chunks(sorted(ids), CHUNK_SIZE):
        yield from _rows(model, since, until).filter(target_id__in=some).iterator(100)


def _unions(rows: Iterable[VisitorSketch]) -> dict[date, Sketch]:
    unions: dict[date, Sketch] = {}
    for row in rows:
        if sketch := _sketch_of(row):
            unions.setdefault(row.day, Sketch()).merge(sketch)
    return unions


def _sketch_of(row: VisitorSketch) -> Sketch | None:
    """Return a sketch; None if only the number is kept, or if it is damaged, as the audit tells."""
    try:
        return decoded(row.sketch)
    except Damaged as error:
        logger.error("%s cannot be read: %s", row, error)
        return None


def _counts(unions: Mapping[date, Sketch]) -> Days:
    return {day: sketch.count() for day, sketch in sorted(unions.items())}

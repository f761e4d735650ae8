"""Days of which the visitors are to be counted again: `recount/visitors.py` does it."""

from collections.abc import Collection
from datetime import date

from django.db import models

from footfall.models import Correction, Projection, Segment, StorePosition, VisitorSketch
from footfall.projections.rows import VISITORS, name_of
from footfall.projections.visitors.daily import ALL, DAY, count_again, day_of
from footfall.registry import content_type_of, countable_models
from footfall.store.read import load

MAX_SPAN = 3
"""Days of a segment that are taken as they are. One with more has events of a wrong clock."""


def recount_days(
    label: str,
    days: Collection[date] | None = None,
    reason: str = Correction.Kind.RECLASSIFY,
) -> None:
    """Note that days are to be counted again with the present verdicts; None: all of them.

    In the transaction of the caller, which has changed verdicts or tells what they have changed.
    """
    count_again(label, days_of(label) if days is None else days, reason)


def recount_after(label: str, position: StorePosition) -> None:
    """Note the days of the events after `position`.

    For a reclassification: what it corrects ends there. The projection `visitors` may be ahead; and
    a day that was counted again has the events that it has not applied yet, too.
    """
    if Projection.objects.filter(name=name_of(VISITORS, label)).exists():
        recount_days(label, _days_of_segments(Segment.objects.filter(number__gt=position.number)))


def days_of(label: str, since: date | None = None) -> set[date]:
    """Return the days that have visitors of the model, or events in the store.

    None for a model that this process does not know.
    """
    model = countable_models().get(label)
    if model is None:
        return set()
    kept = VisitorSketch.objects.filter(
        content_type=content_type_of(model), target_id=ALL, beside=False
    )
    days = {*kept.values_list("day", flat=True)} | _days_of_segments(Segment.objects.all())
    return {day for day in days if since is None or day >= since}


def _days_of_segments(segments: models.QuerySet[Segment]) -> set[date]:
    days: set[int] = set()
    rows = segments.defer("data").order_by("number")
    for segment in rows.iterator(500):
        first, last = segment.first_at // DAY, segment.last_at // DAY
        if last - first < MAX_SPAN:
            days.update(range(first, last + 1))
        else:
            days.update(at // DAY for at in load(segment).at)
    return {*map(day_of, days)}

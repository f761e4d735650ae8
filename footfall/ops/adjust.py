"""Changes of a counter by hand, each with who made it, when, by how much, and why."""

from typing import Any

from django.db import models, transaction

from footfall import sql
from footfall.cache.invalidation import invalidate
from footfall.models import Adjustment
from footfall.registry import content_type_of, countable_models, counted_as, counter_name

HIGHEST = 10**15
"""What a counter may be set to. One without room for a view more would keep every flush from
committing; and Lua compares the copies in Redis as doubles, which are exact up to 9 * 10^15."""


class Impossible(ValueError):
    """The counter would be negative or too high, or nothing was said to change."""


def adjust(
    model: type[models.Model],
    pk: int,
    *,
    to: int | None = None,
    by: int | None = None,
    why: str,
    who: Any = None,
) -> Adjustment | None:
    """Set the counter of a target `to` so many views, or change it `by` so many.

    who: the user; None is a command. One transaction: the row is locked, so no flush comes between
    what is noted and what is set. Views that are still in the log are counted after it. Returns
    what was noted, None if the counter is that already. Raises the model's DoesNotExist, TypeError
    if it is not countable, or Impossible.
    """
    model = countable_models()[counted_as(model)]
    if (to is None) == (by is None) or not why.strip():
        raise Impossible("Say either `to` or `by`, and why.")
    counter = counter_name(model)
    with transaction.atomic():
        row = sql.lock(model._base_manager.filter(pk=pk))
        before = row.values_list(counter, flat=True).get()
        amount = to - before if to is not None else by or 0
        if not 0 <= before + amount <= HIGHEST:
            raise Impossible(f"The counter is {before}: it cannot be {before + amount}.")
        if not amount:
            return None
        model._base_manager.filter(pk=pk).update(**{counter: before + amount})
        invalidate(model, [pk], counter_lowered=True)
        return Adjustment.objects.create(
            content_type=content_type_of(model), target_id=pk, amount=amount, by=who, reason=why
        )

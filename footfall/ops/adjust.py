"""Adjustments: changes of a counter by hand, each kept with who made it, when and why."""

from typing import Any, cast

from django.db import models, transaction

from footfall import sql
from footfall.cache.invalidation import invalidate
from footfall.models import Adjustment, KeptCounter
from footfall.projections.kept.rows import insert, missing, note_change
from footfall.projections.rows import HOURLY, TOTALS, lock, open_missing
from footfall.registry import (
    content_type_of,
    counter_field,
    database_of,
    has_own_key,
    id_in,
    is_kept,
    key_attribute,
)

MAX_COUNTER = 10**15
"""Highest value to set: Lua compares the copies in Redis as doubles, which are exact up to
9 * 10^15."""


class InvalidAdjustment(ValueError):
    """The counter would be negative or too high, or an argument is missing."""


def adjust(
    model: type[models.Model],
    pk: Any,
    *,
    to: int | None = None,
    by: int | None = None,
    why: str,
    who: Any = None,
) -> Adjustment | None:
    """Set the counter of a target `to` a number of views, or change it `by` a number.

    who: the user; None for a command. The row is locked, so no view is counted between the
    adjustment and the counter; those that are pending are counted afterwards. Returns the
    adjustment, or None if the counter has that value already. Raises the model's DoesNotExist,
    TypeError if the model is not countable, or InvalidAdjustment.
    """
    field = counter_field(model)
    if (to is None) == (by is None) or not why.strip():
        raise InvalidAdjustment("Give either `to` or `by`, and `why`.")
    key = _key_of(model, pk)
    target = id_in(model, key)
    owner, (model, counter) = cast(Any, model), (field.model, field.name)
    rows: list[KeptCounter] = []
    if is_kept(model):
        open_missing([model._meta.label_lower])
        rows = missing(model, [target], lambda: {target: str(key)})  # perhaps in another database
    with transaction.atomic():
        if rows:
            lock(model._meta.label_lower, [HOURLY, TOTALS])
            insert(model, rows)
        changes = note_change(model)
        row = sql.lock(model._base_manager.filter(pk=target))
        before = row.values_list(counter, flat=True).first()
        if before is None:
            raise owner.DoesNotExist(f"{owner._meta.label} {pk} does not exist.")
        amount = to - before if to is not None else by or 0
        if not 0 <= before + amount <= MAX_COUNTER:
            raise InvalidAdjustment(f"The counter is {before}: it cannot be {before + amount}.")
        if not amount:
            return None
        new = {counter: before + amount} | ({"changes": changes[1]} if changes[1] else {})
        model._base_manager.filter(pk=target).update(**new)
        invalidate(model, [target], counter_lowered=True)
        return Adjustment.objects.create(
            content_type=content_type_of(model), target_id=target, amount=amount, by=who, reason=why
        )


def _key_of(model: type[models.Model], pk: Any) -> Any:
    """Return the key under which a row is counted: a child may have a primary key of its own."""
    if not has_own_key(model):
        return pk
    rows = model._base_manager.using(database_of(model)).filter(pk=pk)
    key = rows.values_list(key_attribute(model), flat=True).first()
    if key is None:
        raise cast(Any, model).DoesNotExist(f"{model._meta.label} {pk} does not exist.")
    return key

"""Setting a counter by hand: one transaction, and a row that says who, when, how much and why."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, models, transaction

from counters import published
from counters.models import Adjustment
from counters.registry import content_type_of, countable_models, counted_as, counter_name

MOST = 2**63 - 1


def reset(
    model: type[models.Model], pk: int, to: int, why: str, by: AbstractBaseUser | None = None
) -> int | None:
    """Set the counter of one target to `to`; return by how much that changed it.

    None: there is no such target. 0: it stood there already, and nothing was written.
    Views that are still in the log are counted after it. Raises ValueError without a reason, or
    for a number that no counter can have; TypeError if `model` is not countable.
    """
    if not why.strip():
        raise ValueError("A reset needs a reason.")
    if not 0 <= to <= MOST:
        raise ValueError(f"A counter is a number from 0 to {MOST}.")
    model = countable_models()[counted_as(model)]
    name = counter_name(model)
    with transaction.atomic():
        # A flush adds before this or after it, and of two resets one waits for the other.
        no_key = connection.features.has_select_for_no_key_update
        rows = model._base_manager.select_for_update(no_key=no_key).filter(pk=pk)
        before = rows.values_list(name, flat=True).first()
        if before is None:
            return None
        amount: int = to - before
        if amount:
            Adjustment.objects.create(
                content_type=content_type_of(model),
                target_id=pk,
                amount=amount,
                by_id=by.pk if by else None,
                reason=why.strip(),
            )
            model._base_manager.filter(pk=pk).update(**{name: to})
            published.changed(model, [pk], counter=True)
    return amount

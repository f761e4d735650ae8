"""Gives up a projection: it no longer holds up compaction and retention."""

from django.db import transaction

from footfall.models import Carried, Projection, Recount, VisitorRecount
from footfall.projections.rows import HOURLY, TOTALS, VISITORS
from footfall.reclassify.past import forget
from footfall.registry import content_type_of, countable_models
from footfall.store.visits import forget_windows


class NotDropped(Exception):
    """There is no such projection, or it is still used; the message says which."""


def drop(name: str, *, force: bool = False) -> Projection:
    """Delete the row of a projection, and return it. force: also if its model is there.

    Raises NotDropped.
    """
    with transaction.atomic():
        row = Projection.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise NotDropped(f"there is no projection {name}")
        model = countable_models().get(row.label)
        if model and not force:
            raise NotDropped(f"{row.label} is counted here; --force gives {name} up all the same")
        if model and row.kind == TOTALS:
            Carried.objects.filter(content_type=content_type_of(model)).delete()
        if row.kind == TOTALS:
            forget_windows(row.label)
        recounts = VisitorRecount if row.kind == VISITORS else Recount
        recounts._default_manager.filter(label=row.label).delete()
        if row.kind == HOURLY:
            forget(row.label)
        Projection.objects.filter(pk=row.pk).delete()
    return row

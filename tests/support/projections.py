"""What the tests of projections ask for: events in the store, and what has become of them."""

from collections.abc import Mapping
from itertools import count

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from catalog.pages.models import Content
from footfall import events
from footfall.models import Carried, Projection, Rollup, StorePosition
from footfall.projections.rows import open_projections
from footfall.registry import content_type_of
from footfall.store.append import append
from tests.support.store import Stored, built
from tests.support.views import AT

_sequences = count()


def view(
    targets: Mapping[str, list[int]],
    times: int = 1,
    *,
    at: int = AT,
    partition: int = 0,
    agent: int = 0,
    visitor: int = 0,
) -> StorePosition:
    """Store a segment of so many views of the targets, as ingest does; return its position."""
    body, meta = (
        events.encode(targets),
        events.encode_meta(events.Meta(agent=agent, visitor=visitor)),
    )
    run = [
        Stored(partition, sequence=next(_sequences), at=at, body=body, meta=meta)
        for _ in range(times)
    ]
    with transaction.atomic():
        before, (segment,) = append(built(run), timezone.now())
        open_projections(targets, before)
    return StorePosition(segment.number, segment.key, before.events + times)


def positions() -> dict[str, int]:
    """Return the number of the segment at which each projection is, by name."""
    return dict(Projection.objects.values_list("name", "number"))


def carried() -> dict[int, int]:
    """Return the views of contents that are carried over, by id."""
    rows = Carried.objects.filter(content_type=content_type_of(Content))
    return dict(rows.values_list("target_id", "views"))


def rolled_up(content: Content) -> int:
    rows = Rollup.objects.filter(content_type=content_type_of(Content), target_id=content.pk)
    return rows.aggregate(n=Sum("views"))["n"] or 0

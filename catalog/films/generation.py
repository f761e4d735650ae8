"""Makes many realistic categories or films, each exactly once, whatever happens to the worker.

The row of a `Generation` says how many are there. A batch and its progress are one transaction
under the row's lock, so a task that is delivered twice, or comes back after a crash, goes on behind
the last batch. The row is its own outbox, too: what no worker was told of is found by `sweep`.
"""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from catalog.films.models import UNFINISHED, Generation, Kind, State
from catalog.films.samples import make_categories, make_films

logger = logging.getLogger(__name__)

BATCH = 1_000
"""Rows in one transaction: a fraction of a second."""
STILL = timedelta(seconds=30)
"""Without progress for so long, a generation is started again."""
KEEP = timedelta(days=7)

MAKERS = {Kind.CATEGORIES: make_categories, Kind.FILMS: make_films}


def start(kind: Kind, total: int, owner: Any) -> Generation:
    """Note that `total` are to be made, and tell a worker of it; `owner` is a primary key."""
    generation = Generation.objects.create(kind=kind, total=total, owner_id=owner)
    tell_worker(generation.pk)
    return generation


def tell_worker(pk: UUID) -> None:
    """Have a worker carry on. While the broker is away the row waits for `sweep`."""
    from catalog.films.tasks import generate  # it imports this module

    try:
        generate.apply_async((str(pk),), retry=False)
    except (BrokerAway, OSError) as error:
        logger.warning("no worker was told of generation %s: %s", pk, error)


def carry_on(pk: UUID) -> None:
    """Make what is left, batch by batch; return at once while another worker does."""
    try:
        while make_batch(pk):
            pass
    except (OperationalError, IntegrityError) as error:
        # A store is away, or a category has gone meanwhile: `sweep` lets it go on.
        logger.warning("generation %s stands still: %s", pk, error)
    except Exception as error:
        Generation.objects.filter(pk=pk).update(state=State.FAILED, error=repr(error))
        raise


@transaction.atomic
def make_batch(pk: UUID) -> bool:
    """Make the next batch, with its progress, in one transaction; return whether one is left."""
    mine = Generation.objects.select_for_update(skip_locked=True)
    generation = mine.filter(pk=pk, state__in=UNFINISHED).first()
    if generation is None:
        return False
    count = min(BATCH, generation.total - generation.done)
    MAKERS[Kind(generation.kind)](count, generation)
    generation.done += count
    is_done = generation.done >= generation.total
    generation.state = State.DONE if is_done else State.RUNNING
    generation.save()
    return not is_done


def sweep() -> None:
    """Start what stands still, and remove what is old."""
    now = timezone.now()
    Generation.objects.filter(created_at__lt=now - KEEP).delete()
    still = Q(state__in=UNFINISHED, updated_at__lt=now - STILL)
    for pk in Generation.objects.filter(still).values_list("pk", flat=True):
        tell_worker(pk)

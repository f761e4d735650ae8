"""Celery tasks that generate many categories or films, each exactly once, even if a worker dies.

The row of a `GenerationJob` says how many exist. A batch and its progress are one transaction under
the row's lock, so a task that is delivered twice, or again after a crash, continues after the last
batch. The row is also an outbox: `sweep` starts what no worker was told of.
"""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import shared_task
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from catalog.films.models import UNFINISHED, GenerationJob, Kind, State
from footfall.common.celery import enqueue

logger = logging.getLogger(__name__)

BATCH = 1_000
"""Rows in one transaction: a fraction of a second."""
STALLED_AFTER = timedelta(seconds=30)
"""A job without progress for this long is started again."""
RETENTION = timedelta(days=7)


def start(kind: Kind, total: int, owner: Any) -> GenerationJob:
    """Create a job and send it to a worker. owner: the primary key of a user."""
    job = GenerationJob.objects.create(kind=kind, total=total, owner_id=owner)
    enqueue(generate, str(job.pk))
    return job


@shared_task(name="films.generate")
def generate(pk: str) -> None:
    """Generate what is left, batch by batch; return at once if another worker runs the job."""
    try:
        while make_batch(UUID(pk)):
            pass
    except (OperationalError, IntegrityError) as error:
        # The database is unavailable, or a category was deleted: `sweep` starts the job again.
        logger.warning("generation job %s is stalled: %s", pk, error)
    except Exception as error:
        GenerationJob.objects.filter(pk=pk).update(state=State.FAILED, error=repr(error))
        raise


@transaction.atomic
def make_batch(pk: UUID) -> bool:
    """Make the next batch and save its progress; return whether there is more to do."""
    jobs = GenerationJob.objects.select_for_update(skip_locked=True)
    job = jobs.filter(pk=pk, state__in=UNFINISHED).first()
    if job is None:
        return False
    from catalog.films.samples import MAKERS  # Faker: other processes need not load it

    count = min(BATCH, job.total - job.done)
    MAKERS[job.kind](count, job)
    job.done += count
    is_done = job.done >= job.total
    job.state = State.DONE if is_done else State.RUNNING
    job.save()
    return not is_done


@shared_task(name="films.sweep")
def sweep() -> None:
    """Start stalled jobs again, and delete old ones."""
    now = timezone.now()
    GenerationJob.objects.filter(created_at__lt=now - RETENTION).delete()
    stalled = GenerationJob.objects.filter(state__in=UNFINISHED, updated_at__lt=now - STALLED_AFTER)
    for pk in stalled.values_list("pk", flat=True):
        enqueue(generate, str(pk))

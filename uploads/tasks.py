"""The Celery tasks."""

from celery import shared_task

from uploads import orphans
from uploads.processing import wakeup
from uploads.queue import outbox


@shared_task(name=outbox.TASK)
def process() -> None:
    """Process waiting files for a few seconds."""
    wakeup.tick()


@shared_task(name="uploads.compare")
def compare() -> None:
    """Find stored files without a row, and rows without a stored file."""
    orphans.compare()

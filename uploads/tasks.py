"""What Celery runs. No logic here."""

from celery import shared_task

from uploads import orphans
from uploads.processing import wakeup
from uploads.queue import outbox


@shared_task(name=outbox.TASK)
def process() -> None:
    """Process the files that wait, for a few seconds."""
    wakeup.tick()


@shared_task(name="uploads.compare")
def compare() -> None:
    """Find the stored files without a row, and the rows without a stored file."""
    orphans.compare()

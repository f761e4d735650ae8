"""The Celery tasks."""

from celery import shared_task

from footfall import identity
from footfall.common.ticks import TickLimit
from uploads.processing import turns, wakeup
from uploads.queue import outbox
from uploads.storage import expiry, orphans, trash

# Comparisons count as looks, so ticks that have waited together must be one.
hourly = TickLimit(30 * 60)


@shared_task(name=outbox.TASK)
def process() -> None:
    """Process waiting files for a few seconds."""
    wakeup.tick()


@shared_task(name="uploads.compare")
def compare() -> None:
    """Do what is to be done every hour: compare storage and rows, expire files, empty the trash."""
    if not hourly.allows():
        return
    identity.advance_epoch()
    now = identity.moment()
    expiry.note_epochs(now)
    expiry.expire(now)
    orphans.compare()
    trash.purge(now)
    expiry.forget_keys(now)
    turns.forget_idle()

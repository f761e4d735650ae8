"""What Celery beat wakes. No logic here."""

from celery import shared_task

from counters import housekeeping, wakeup


@shared_task(name="counters.flush")
def flush() -> None:
    """Flush what is waiting, unless a flush runs in this process already."""
    wakeup.tick()


@shared_task(name="counters.prune")
def prune() -> None:
    """Remove what no count needs any more."""
    housekeeping.prune()

"""The tasks of Celery, without logic, and the request for an audit."""

from typing import Any

from celery import shared_task
from kombu.exceptions import OperationalError

from footfall import worker
from footfall.models import Audit
from footfall.ops import retention
from footfall.ops.audit import carry_out
from footfall.projections import compact as compacting
from footfall.projections import ranking


@shared_task(name="counters.flush")
def flush() -> None:
    """Flush, unless a flush is running in this process."""
    worker.tick()


@shared_task(name="counters.prune")
def prune() -> None:
    """Remove rows that no counter needs any more."""
    retention.prune()


@shared_task(name="counters.fold")
def compact() -> None:
    """Compact hours that are older than COUNTERS_HOURLY_DAYS into days."""
    compacting.compact()


@shared_task(name="counters.rank")
def rank() -> None:
    """Compute the rankings that are due."""
    ranking.rank_due()


@shared_task(name="counters.audit")
def audit(pk: int) -> None:
    """Run the audit that a user has requested; `pk` is that of an `Audit`."""
    for _line in carry_out(Audit.objects.get(pk=pk)):
        pass


def request_audit(user: Any) -> bool:
    """Have a worker audit the counters. Return False if the broker accepts no task now.

    user: primary key of the user who requests it, or None.
    """
    asked = Audit.objects.create(asked_by_id=user)
    try:
        audit.apply_async((asked.pk,), retry=False)
    except (OperationalError, OSError):
        asked.delete()
        return False
    return True

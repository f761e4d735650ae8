"""The Celery tasks, and how an audit is queued. No logic here."""

from typing import Any

from celery import shared_task

from footfall import worker
from footfall.common.celery import enqueue
from footfall.models import Audit
from footfall.ops import retention
from footfall.ops.audit import run_audit
from footfall.projections import compact as compacting
from footfall.projections import ranking


@shared_task(name="counters.flush")
def flush() -> None:
    """Flush what is waiting, unless this process is flushing already."""
    worker.tick()


@shared_task(name="counters.prune")
def prune() -> None:
    """Remove old rows that are no longer needed."""
    retention.prune()


@shared_task(name="counters.fold")
def compact() -> None:
    """Turn hourly views that are older than the retention into daily ones."""
    compacting.compact()


@shared_task(name="counters.rank")
def rank() -> None:
    """Compute the rankings that are due."""
    ranking.rank_due()


@shared_task(name="counters.audit")
def audit(pk: int) -> None:
    """Run an audit that was requested."""
    for _line in run_audit(Audit.objects.get(pk=pk)):
        pass


def request_audit(user_id: Any) -> bool:
    """Queue an audit for a worker; return False if the broker does not answer."""
    requested = Audit.objects.create(requested_by_id=user_id)
    if enqueue(audit, requested.pk):
        return True
    requested.delete()
    return False

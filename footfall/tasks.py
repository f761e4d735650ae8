"""What Celery runs, and how an audit is asked for. No logic here."""

from typing import Any

from celery import shared_task

from footfall import worker
from footfall.common.celery import enqueue
from footfall.models import Audit
from footfall.ops import retention
from footfall.ops.audit import carry_out
from footfall.projections import compact as compacting
from footfall.projections import ranking


@shared_task(name="counters.flush")
def flush() -> None:
    """Flush what is waiting, unless a flush runs in this process already."""
    worker.tick()


@shared_task(name="counters.prune")
def prune() -> None:
    """Remove what no count needs any more."""
    retention.prune()


@shared_task(name="counters.fold")
def compact() -> None:
    """Fold the hours into days that are older than the retention."""
    compacting.compact()


@shared_task(name="counters.rank")
def rank() -> None:
    """Compute the most viewed, as far as that is due."""
    ranking.rank_due()


@shared_task(name="counters.audit")
def audit(pk: int) -> None:
    """Carry out an audit that somebody has asked for."""
    for _line in carry_out(Audit.objects.get(pk=pk)):
        pass


def ask_for_audit(user: Any) -> bool:
    """Have a worker audit the counters; return False if the broker takes no tasks now.

    user: primary key of who asks.
    """
    asked = Audit.objects.create(asked_by_id=user)
    if enqueue(audit, asked.pk):
        return True
    asked.delete()
    return False

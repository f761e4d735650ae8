"""The Celery tasks, and how an audit is queued. No logic here."""

from typing import Any

from footfall import worker
from footfall.common.celery import enqueue, task
from footfall.models import Audit
from footfall.ops import retention
from footfall.ops.audit import run_audit
from footfall.projections import compact as compacting
from footfall.projections import ranking
from footfall.recount import upkeep

flush = task("counters.flush")(worker.tick)
prune = task("counters.prune")(retention.prune)
compact = task("counters.fold")(compacting.compact)
compact_store = task("counters.compact_store")(upkeep.keep_store)
rank = task("counters.rank")(ranking.rank_due)


@task("counters.audit")
def audit(pk: int) -> None:
    for _line in run_audit(Audit.objects.get(pk=pk)):
        pass


def request_audit(user_id: Any) -> bool:
    """Queue an audit for a worker; return False if the broker does not answer."""
    requested = Audit.objects.create(requested_by_id=user_id)
    if enqueue(audit, requested.pk):
        return True
    requested.delete()
    return False

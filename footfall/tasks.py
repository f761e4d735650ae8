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
from footfall.reclassify.changes import Unfinished
from footfall.reclassify.past import TakenOver
from footfall.recount import upkeep

flush = shared_task(name="counters.flush")(worker.tick)
prune = shared_task(name="counters.prune")(retention.prune)
compact = shared_task(name="counters.fold")(compacting.compact)
compact_store = shared_task(name="counters.compact_store")(upkeep.keep_store)
rank = shared_task(name="counters.rank")(ranking.rank_due)


reclassify = shared_task(
    name="counters.reclassify",
    autoretry_for=(TakenOver, Unfinished),
    retry_backoff=30,
    max_retries=10,
)(upkeep.reclassify_all)


@shared_task(name="counters.audit")
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

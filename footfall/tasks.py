"""The Celery tasks, and how an audit is queued. No logic here."""

from collections.abc import Callable
from typing import Any

from footfall import worker
from footfall.common.celery import enqueue, task
from footfall.models import Audit
from footfall.ops import retention
from footfall.ops.audit.run import run_audit
from footfall.ops.workers import inspector
from footfall.projections import compact as compacting
from footfall.projections import ranking
from footfall.reclassify.changes import Unfinished
from footfall.reclassify.past import TakenOver
from footfall.recount import upkeep
from footfall.worker import QUEUE

FLUSH = "counters.flush"
JOBS: dict[str, Callable[[], object]] = {
    FLUSH: worker.tick,
    "counters.prune": retention.prune,
    "counters.fold": compacting.compact,
    "counters.compact_store": upkeep.keep_store,
    "counters.rank": ranking.rank_due,
}
"""By the name of its task, what is done again and again: see `footfall.schedule`."""

flush, prune, compact, compact_store, rank = (task(name)(job) for name, job in JOBS.items())


reclassify = task(
    "counters.reclassify",
    autoretry_for=(TakenOver, Unfinished),
    retry_backoff=30,
    max_retries=10,
)(upkeep.reclassify_all)


@task("counters.audit")
def audit(pk: int) -> None:
    for _line in run_audit(Audit.objects.get(pk=pk)):
        pass


def request_audit(user_id: Any) -> bool:
    """Queue an audit for a worker, or leave it to `counters run`; return False if there is none."""
    requested = Audit.objects.create(requested_by_id=user_id)
    if inspector.workers(serving=QUEUE).runner or enqueue(audit, requested.pk):
        return True
    requested.delete()
    return False

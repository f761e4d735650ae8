"""The flush: from the log to the counters, exactly once. Read `flush` and you know the system."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction

from footfall.cache.publish import publish, remember
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.ingest.aggregate import aggregate
from footfall.ingest.batches import advance, dead_letters
from footfall.ingest.claims import claim, drain_spill, read, trim
from footfall.ingest.producer_states import drop_seen, load_producer_states
from footfall.log import get_log
from footfall.models import Batch, Partition
from footfall.projections.hourly import roll_up
from footfall.projections.totals import apply
from footfall.registry import countable_models


@dataclass
class Flushed:
    """What one flush did."""

    batch: Batch | None = None
    """None if there was nothing to do."""
    drained: frozenset[int] = frozenset()
    """Partitions of which everything was applied that was there when they were read."""
    more: bool = False
    """Whether something was left for the next flush."""


def flush(limit: int | None = None) -> Flushed:
    """Apply one batch: at most `limit` events from the log and as many from the spill.

    Safe to run any number of times, at once, and to be killed anywhere: the counts, the marks and
    the positions change in one transaction, and an event at or below its mark is dropped.
    Raises DatabaseError or sql.Conflict; then nothing has changed.
    """
    started = time.monotonic()
    limit = limit or conf.COUNTERS_BATCH_EVENTS
    log = get_log()
    with transaction.atomic(durable=True), no_garbage():
        claims = claim()
        read(log, claims, limit)
        drain_spill(claims, limit)
        producer_states = load_producer_states(claims)
        views = drop_seen(claims, producer_states)
        failpoint("after_read")
        sums = aggregate(views, countable_models())
        dead_letters(sums)
        counters, deleted = apply(sums)
        roll_up(sums, counters)
        failpoint("after_apply")
        batch = advance(claims, producer_states, sums, deleted, started)
        failpoint("before_commit")
    committed = time.monotonic()
    failpoint("after_commit")
    remember(claims, sums, batch)
    failpoint("before_publish")
    publish(counters, committed)
    failpoint("before_trim")
    trim(log, claims)
    failpoint("after_trim")
    drained = frozenset(claim.number for claim in claims if claim.drained)
    return Flushed(batch, drained, more=len(drained) < len(claims))


@contextmanager
def no_garbage() -> Iterator[None]:
    """Spare the collector: it would look again and again at so many entries, none of them a cycle.

    That took half of the time of reading them.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def flush_for(seconds: float) -> int:
    """Flush batch after batch while there is more, for about `seconds`; return how many."""
    end = time.monotonic() + seconds
    batches = 0
    while True:
        flushed = flush()
        batches += flushed.batch is not None
        if flushed.batch is None or not flushed.more or time.monotonic() > end:
            return batches


def flush_all() -> int:
    """Apply everything that is in the log and in the spill now; return the number of events.

    Waits for partitions that another flush has claimed. Raises LogError if the log is away.
    """
    events = 0
    waiting: set[int] | None = None
    while waiting is None or waiting:
        flushed = flush()
        events += flushed.batch.events if flushed.batch else 0
        if waiting is None:
            waiting = set(Partition.objects.values_list("number", flat=True))
        waiting -= flushed.drained
        if waiting and flushed.batch is None:
            get_log().length(min(waiting))  # says so if the log is away
            time.sleep(0.05)
    return events

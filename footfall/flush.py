"""The flush: from the log to the counters, exactly once.

`flush()` calls every step in order; read it first.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction

from footfall.cache.publish import note_locations, publish
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.ingest.aggregate import aggregate
from footfall.ingest.batches import save_progress, store_dead_letters
from footfall.ingest.claims import claim, drain_spill, read, trim
from footfall.ingest.producer_states import deduplicate, load_producer_states
from footfall.log import get_log
from footfall.models import Batch, Partition
from footfall.projections.totals import apply, roll_up
from footfall.registry import countable_models


@dataclass
class Flushed:
    """What one flush did."""

    batch: Batch | None = None
    """None if there was nothing to do."""
    finished_partitions: frozenset[int] = frozenset()
    """Partitions that were read to their end."""
    more: bool = False
    """Whether there is more to flush."""


def flush(limit: int | None = None) -> Flushed:
    """Apply one batch: at most `limit` events from the log and as many from the spill.

    Several may run at once, and each may be killed anywhere: counts, producer states and positions
    change in one transaction, and an event at or below its producer's state is dropped.
    Raises DatabaseError or sql.Conflict; then nothing has changed.
    """
    started = time.monotonic()
    limit = limit or conf.COUNTERS_BATCH_EVENTS
    log = get_log()
    with transaction.atomic(durable=True), gc_paused():
        claims = claim()
        read(log, claims, limit)
        drain_spill(claims, limit)
        states = load_producer_states(claims)
        events = deduplicate(claims, states)
        failpoint("after_read")
        sums = aggregate(events, countable_models())
        store_dead_letters(sums)
        counters, deleted = apply(sums)
        roll_up(sums, counters)
        failpoint("after_apply")
        batch = save_progress(claims, states, sums, deleted, started)
        failpoint("before_commit")
    committed = time.monotonic()
    failpoint("after_commit")
    note_locations(claims, sums, batch)
    failpoint("before_publish")
    publish(counters, committed)
    failpoint("before_trim")
    trim(log, claims)
    failpoint("after_trim")
    finished = frozenset(claim.number for claim in claims if claim.reached_end)
    return Flushed(batch, finished, more=len(finished) < len(claims))


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause garbage collection: it took half the time of reading a batch, and entries form no
    cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
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

    Waits for partitions that another flush has claimed. Raises LogError while the log is away.
    """
    events = 0
    waiting: set[int] | None = None
    while waiting is None or waiting:
        flushed = flush()
        events += flushed.batch.events if flushed.batch else 0
        if waiting is None:
            waiting = set(Partition.objects.values_list("number", flat=True))
        waiting -= flushed.finished_partitions
        if waiting and flushed.batch is None:
            get_log().length(min(waiting))  # raises if the log is away
            time.sleep(0.05)
    return events

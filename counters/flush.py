"""The flush: from the log to the counters, exactly once. Read `flush` and you know the system."""

import gc
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from counters import published, sql
from counters.aggregate import Sums, View, aggregate
from counters.log import get_log
from counters.marks import Marks
from counters.models import Batch, Partition, SetAside, Spilled
from counters.registry import countable_models
from eventlog import Away, Entry, Log, LogError, Position
from eventlog.failpoints import failpoint

logger = logging.getLogger(__name__)

SPILL_LIMIT = 5_000  # spilled events in one batch: they are read as rows, which are large

counted = Signal()
"""Sent after the commit, once per model: `sender` the model, `counters` {id: its new counter}."""


Counters = dict[str, dict[int, int]]
"""By label, then by id: the counter after this batch, of every target that exists."""


@dataclass
class Flushed:
    """What one flush did."""

    batch: Batch | None = None
    """None if there was nothing to do."""
    drained: frozenset[int] = frozenset()
    """Partitions of which everything was applied that was there when they were read."""
    more: bool = False
    """Whether something was left for the next flush."""


@dataclass
class Claim:
    """A partition that this flush has locked, and what it found there."""

    partition: Partition
    entries: list[Entry] = field(default_factory=list)
    spilled: list[Spilled] = field(default_factory=list)
    is_read: bool = False
    drained: bool = False
    fresh: int = 0

    @property
    def number(self) -> int:
        return self.partition.number


def flush(limit: int | None = None) -> Flushed:
    """Apply one batch: at most `limit` events from the log and as many from the spill.

    Safe to run any number of times, at once, and to be killed anywhere: the counts, the marks and
    the positions change in one transaction, and an event at or below its mark is dropped.
    Raises DatabaseError or sql.Conflict; then nothing has changed.
    """
    started = time.monotonic()
    limit = limit or settings.COUNTERS_BATCH_EVENTS
    log = get_log()
    with transaction.atomic(durable=True), no_garbage():
        claims = claim()
        read(log, claims, limit)
        drain_spill(claims, min(limit, SPILL_LIMIT))
        marks = load_marks(claims)
        views = drop_seen(claims, marks)
        failpoint("after_read")
        sums = aggregate(views, countable_models())
        set_aside(sums)
        counters, deleted = apply(sums)
        roll_up(sums, counters)
        failpoint("after_apply")
        batch = advance(claims, marks, sums, deleted, started)
        failpoint("before_commit")
    committed = time.monotonic()
    failpoint("after_commit")
    remember(claims, sums, batch)
    publish(counters, committed)
    failpoint("after_publish")
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


def claim() -> list[Claim]:
    """Lock the partitions that no other flush has, in the order of their numbers."""
    known = set(Partition.objects.values_list("number", flat=True))
    spilled = Spilled.objects.filter(partition__gte=settings.EVENTLOG_PARTITIONS)
    wanted = {
        *range(settings.EVENTLOG_PARTITIONS),
        *spilled.values_list("partition", flat=True).distinct(),
    }
    missing = [Partition(number=number) for number in sorted(wanted - known)]
    Partition.objects.bulk_create(missing, ignore_conflicts=True)
    free = Partition.objects.select_for_update(skip_locked=True).order_by("number")
    return [Claim(partition) for partition in free]


def read(log: Log, claims: Sequence[Claim], limit: int) -> None:
    """Read from each partition, in order, up to its share of `limit`.

    What some leave of their shares goes to those that have more.
    """
    share = max(1, limit // max(1, len(claims)))
    size = settings.COUNTERS_BATCH_BYTES // max(1, len(claims))
    if not all(read_some(log, claim, share, size) for claim in claims):
        return  # Redis is away: the spill is drained all the same, that is where views go then
    behind = [claim for claim in claims if len(claim.entries) == share and not claim.drained]
    left = limit - sum(len(claim.entries) for claim in claims)
    for claim in behind:
        if left >= len(behind):
            read_some(log, claim, left // len(behind), size)


def read_some(log: Log, claim: Claim, count: int, size: int) -> bool:
    """Read on in one partition; return whether Redis answered."""
    position = Position.of(claim.entries[-1]) if claim.entries else claim.partition.read_up_to
    try:
        entries, claim.drained = log.read(claim.number, position, count, size)
    except LogError as error:
        logger.warning("partition %s cannot be read: %s", claim.number, error)
        return not isinstance(error, Away)
    claim.entries += entries
    claim.is_read = True
    return True


def drain_spill(claims: Sequence[Claim], limit: int) -> None:
    """Take spilled events out, by the ids that were locked: lower ids may commit later."""
    by_number = {claim.number: claim for claim in claims}
    free = Spilled.objects.select_for_update(skip_locked=True).order_by("pk")
    spilled = list(free.filter(partition__in=by_number)[:limit])
    for row in spilled:
        by_number[row.partition].spilled.append(row)
    Spilled.objects.filter(pk__in=[row.pk for row in spilled]).delete()
    if len(spilled) == limit:
        for claim in claims:
            claim.drained = False


def load_marks(claims: Sequence[Claim]) -> Marks:
    """Load the marks of every session that the batch names."""
    numbers: set[tuple[int, int]] = set()
    for claim in claims:
        sessions = {entry.number.session for entry in claim.entries if entry.number}
        sessions |= {row.session for row in claim.spilled if row.session is not None}
        numbers |= {(session, claim.number) for session in sessions}
    return Marks(numbers)


def drop_seen(claims: Sequence[Claim], marks: Marks) -> list[View]:
    """Return what was not counted before; the log goes first, since its order is the marks'."""
    views: list[View] = []
    for claim in claims:
        before = len(views)
        views += [
            View(claim.number, at, body, "" if number else entry_id.decode())
            for entry_id, number, at, _, body in marks.pass_by_log(claim.entries, claim.number)
        ]
        views += [
            View(claim.number, row.at, bytes(row.body))
            for row in claim.spilled
            if row.number is None or marks.pass_by_spill(row.number, claim.number)
        ]
        claim.fresh = len(views) - before
    return views


def set_aside(sums: Sums) -> None:
    """Keep what cannot be counted, with the reason."""
    SetAside.objects.bulk_create(
        [
            SetAside(
                partition=view.partition,
                at=view.at,
                body=view.body,
                reason=reason[:200],
                entry_id=view.entry_id or None,
            )
            for view, reason in sums.malformed
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )


def apply(sums: Sums) -> tuple[Counters, int]:
    """Add to the counters: one UPDATE per model, models in the order of their labels.

    Returns the new counters, and how many views were of targets that are deleted.
    """
    counters: Counters = {}
    deleted = 0
    for label, totals in sorted(sums.totals.items()):
        counters[label] = sql.add_counts(countable_models()[label], totals)
        deleted += sum(n for target, n in totals.items() if target not in counters[label])
    return counters, deleted


def roll_up(sums: Sums, counters: Counters) -> None:
    """Add to the hourly rollups of every target that exists, and to the totals of the hours."""
    for label, existing in counters.items():
        hourly = {key: n for key, n in sums.hourly[label].items() if key[0] in existing}
        totals: Counter[int] = Counter()
        for (_target, hour), n in hourly.items():
            totals[hour] += n
        sql.add_rollups(countable_models()[label], hourly)
        sql.add_totals(countable_models()[label], totals)


def advance(
    claims: Sequence[Claim], marks: Marks, sums: Sums, deleted: int, started: float
) -> Batch | None:
    """Move marks and positions, and write down what became of every event."""
    claims = [claim for claim in claims if claim.entries or claim.spilled]
    if not claims:
        return None
    marks.advance()
    now = timezone.now()
    for claim in claims:
        claim.partition.move(claim.entries, claim.fresh, now)
    Partition.objects.bulk_update([claim.partition for claim in claims], Partition.MOVING)
    dropped = marks.seen + Counter({"set aside": len(sums.malformed), "target deleted": deleted})
    return Batch.objects.create(
        at=now,
        seconds=time.monotonic() - started,
        events=sums.events,
        views=sum(sum(totals.values()) for totals in sums.totals.values()) - deleted,
        targets=sum(map(len, sums.totals.values())),
        drained=sum(len(claim.spilled) for claim in claims),
        partitions={claim.number: claim.fresh for claim in claims},
        dropped=dropped,
    )


def remember(claims: Sequence[Claim], sums: Sums, batch: Batch | None) -> None:
    """Remember from which partitions the targets were viewed: there may be copies."""
    if batch:
        read = {claim.number for claim in claims if claim.is_read}
        has_all = read.issuperset(range(settings.EVENTLOG_PARTITIONS))
        published.homes().note(batch.pk, has_all, sums.seen)


def publish(counters: Counters, committed: float) -> None:
    """Renew the copies of the counters, and tell whoever else keeps one. Failing harms nobody."""
    try:
        for label, values in counters.items():
            named = {f"{label}:{pk}": counter for pk, counter in values.items()}
            published.raise_counters(named, committed)
        published.forget_stale()
    except LogError as away:
        logger.warning("the counters were not published: %s", away)
    for label, values in counters.items():
        for receiver, error in counted.send_robust(countable_models()[label], counters=values):
            if isinstance(error, Exception):
                logger.error("%r failed", receiver, exc_info=error)


def trim(log: Log, claims: Sequence[Claim]) -> None:
    """Let go of what was applied long enough ago. After the commit, never before."""
    for claim in claims:
        position = claim.partition.read_up_to
        # An idle partition as well: one that is full is idle, and only this makes room in it.
        if claim.is_read and position:
            try:
                log.trim(claim.number, position)
            except LogError as error:
                logger.warning("partition %s cannot be trimmed: %s", claim.number, error)
                if isinstance(error, Away):
                    return


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

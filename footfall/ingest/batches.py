"""What a batch writes besides counts: dead letters, producer states, positions, the `Batch` row."""

import time
from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from footfall.events import DropReason
from footfall.ingest.aggregate import Sums
from footfall.ingest.claims import Claim
from footfall.ingest.producer_states import ProducerStates
from footfall.models import Batch, DeadLetter, Partition
from footfall.sql.batch import rows_per_statement

MAX_BODY_BYTES = 1024**2
"""Longest body stored for a dead letter; the rest is cut off."""


def store_dead_letters(sums: Sums) -> None:
    """Store the events that cannot be counted, with the reason."""
    rows = [
        DeadLetter(
            partition=event.partition,
            at=event.at,
            body=event.body[:MAX_BODY_BYTES],
            reason=reason[:200],
            entry_id=event.entry_id or None,
        )
        for event, reason in sums.malformed
    ]
    batch_size = rows_per_statement(row.body for row in rows)
    DeadLetter.objects.bulk_create(rows, ignore_conflicts=True, batch_size=batch_size)


def save_progress(
    claims: Sequence[Claim], states: ProducerStates, sums: Sums, deleted: int, started: float
) -> Batch | None:
    """Write producer states and positions, and a row that says what became of every event."""
    claims = [claim for claim in claims if claim.entries or claim.spilled]
    if not claims:
        return None
    states.save()
    now = timezone.now()
    for claim in claims:
        claim.partition.advance(claim.entries, claim.new_events, now)
    Partition.objects.bulk_update([claim.partition for claim in claims], Partition.ADVANCED)
    dropped = states.dropped + Counter(
        {DropReason.DEAD_LETTER: len(sums.malformed), DropReason.TARGET_DELETED: deleted}
    )
    return Batch.objects.create(
        at=now,
        seconds=time.monotonic() - started,
        events=sums.events,
        views=sum(sum(totals.values()) for totals in sums.totals.values()) - deleted,
        targets=sum(map(len, sums.totals.values())),
        drained=sum(len(claim.spilled) for claim in claims),
        partitions={claim.number: claim.new_events for claim in claims},
        dropped=dropped,
    )

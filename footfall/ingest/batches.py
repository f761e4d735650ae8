"""What a batch leaves behind: dead letters, marks, positions, and a row that accounts for it."""

import time
from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from footfall import sql
from footfall.ingest.aggregate import Sums
from footfall.ingest.claims import Claim
from footfall.ingest.producer_states import ProducerStates
from footfall.models import Batch, DeadLetter, Partition

KEPT_BYTES = 1024**2
"""Of the body of what cannot be counted: it must not be too long for the database as well."""


def dead_letters(sums: Sums) -> None:
    """Keep what cannot be counted, with the reason."""
    rows = [
        DeadLetter(
            partition=view.partition,
            at=view.at,
            body=view.body[:KEPT_BYTES],
            reason=reason[:200],
            entry_id=view.entry_id or None,
        )
        for view, reason in sums.malformed
    ]
    at_once = sql.rows_at_once(row.body for row in rows)
    DeadLetter.objects.bulk_create(rows, ignore_conflicts=True, batch_size=at_once)


def advance(
    claims: Sequence[Claim],
    producer_states: ProducerStates,
    sums: Sums,
    deleted: int,
    started: float,
) -> Batch | None:
    """Move marks and positions, and write down what became of every event."""
    claims = [claim for claim in claims if claim.entries or claim.spilled]
    if not claims:
        return None
    producer_states.advance()
    now = timezone.now()
    for claim in claims:
        claim.partition.move(claim.entries, claim.fresh, now)
    Partition.objects.bulk_update([claim.partition for claim in claims], Partition.MOVING)
    dropped = producer_states.seen + Counter(
        {"set aside": len(sums.malformed), "target deleted": deleted}
    )
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

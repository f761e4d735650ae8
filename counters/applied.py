"""What a batch writes, all of it in the transaction of its flush."""

import time
from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from counters import sql
from counters.aggregate import Sums
from counters.claims import Claim
from counters.marks import Marks
from counters.models import Batch, Partition, SetAside
from counters.registry import countable_models

Counters = dict[str, dict[int, int]]
"""By label, then by id: the counter after this batch, of every target that exists."""


KEPT_BYTES = 1024**2
"""Of the body of what cannot be counted: it must not be too long for the database as well."""


def set_aside(sums: Sums) -> None:
    """Keep what cannot be counted, with the reason."""
    rows = [
        SetAside(
            partition=view.partition,
            at=view.at,
            body=view.body[:KEPT_BYTES],
            reason=reason[:200],
            entry_id=view.entry_id or None,
        )
        for view, reason in sums.malformed
    ]
    at_once = sql.rows_at_once(row.body for row in rows)
    SetAside.objects.bulk_create(rows, ignore_conflicts=True, batch_size=at_once)


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

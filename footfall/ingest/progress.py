"""How far an ingest has come: dead letters, producer states and positions."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from footfall.events import DropReason
from footfall.ingest.claims import Claim
from footfall.ingest.producer_states import ProducerStates
from footfall.models import DeadLetter, Partition
from footfall.sql.batch import rows_per_statement


def store_dead_letters(dead_letters: Sequence[DeadLetter]) -> None:
    """Store the events that cannot be counted, with the reason."""
    batch_size = rows_per_statement(row.body for row in dead_letters)
    DeadLetter.objects.bulk_create(dead_letters, ignore_conflicts=True, batch_size=batch_size)


def save_progress(
    claims: Sequence[Claim],
    states: ProducerStates,
    stored: Counter[int],
    dead_letters: Sequence[DeadLetter],
    now: datetime,
) -> None:
    """Write producer states and positions. stored: events by partition."""
    states.save()
    dead = Counter(letter.partition for letter in dead_letters)
    for claim in claims:
        if not (claim.entries or claim.spilled):
            continue
        partition = claim.partition
        dropped = Counter(states.dropped[claim.number])
        if dead[claim.number]:
            dropped[DropReason.DEAD_LETTER] = dead[claim.number]
        partition.advance(claim.entries, stored[claim.number], dropped, now)
        # A statement for each: `bulk_update` takes five times as long to write one for all.
        partition.save(update_fields=Partition.ADVANCED)

"""The spill: events that wait in the database because the log did not take them for certain."""

from django.db import transaction
from django.db.models import QuerySet

from footfall.eventlog import EventId
from footfall.models import DeadLetter, Spilled
from footfall.sql.batch import rows_per_statement


def spill(
    partition: int, body: bytes, at: int, event_id: EventId | None = None, meta: bytes = b""
) -> None:
    """Write the event to the database; with its id, if it may be in the log too.

    `at`: milliseconds since 1970. Raises DatabaseError while the database is away.
    """
    producer_id, sequence = event_id or (None, None)
    Spilled.objects.create(
        partition=partition,
        producer_id=producer_id,
        sequence=sequence,
        at=at,
        body=body,
        meta=meta,
    )


def replay(letters: QuerySet[DeadLetter]) -> int:
    """Move dead letters to the spill, to be counted at the time at which they happened."""
    with transaction.atomic():
        chosen = list(letters.select_for_update().order_by("pk"))
        Spilled.objects.bulk_create(
            [
                Spilled(partition=one.partition, at=one.at, body=one.body, meta=one.meta)
                for one in chosen
            ],
            batch_size=rows_per_statement(one.body for one in chosen),
        )
        DeadLetter.objects.filter(pk__in=[one.pk for one in chosen]).delete()
    return len(chosen)

"""The spill: events in the database that the flush takes from there, beside the log."""

from django.db import transaction
from django.db.models import QuerySet

from footfall import sql
from footfall.eventlog import EventId
from footfall.models import DeadLetter, Spilled


def spill(partition: int, body: bytes, at: int, number: EventId | None = None) -> None:
    """Write the event to the database; with its number, if it may be in the log too.

    `at`: milliseconds since 1970. Raises DatabaseError while the database is away.
    """
    producer_id, sequence = number or (None, None)
    Spilled.objects.create(
        partition=partition, producer_id=producer_id, sequence=sequence, at=at, body=body
    )


def replay(events: QuerySet[DeadLetter]) -> int:
    """Put events that were set aside into the spill, with the time at which they happened."""
    with transaction.atomic():
        chosen = list(events.select_for_update().order_by("pk"))
        Spilled.objects.bulk_create(
            [Spilled(partition=one.partition, at=one.at, body=one.body) for one in chosen],
            batch_size=sql.rows_at_once(one.body for one in chosen),
        )
        DeadLetter.objects.filter(pk__in=[event.pk for event in chosen]).delete()
    return len(chosen)

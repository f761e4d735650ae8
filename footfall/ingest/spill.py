"""The spill: events that wait in the database because the log did not take them for certain."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from footfall.eventlog import EventId
from footfall.events import EARLIEST, LATEST
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


def replay(letters: QuerySet[DeadLetter], by: Any = None) -> int:
    """Send dead letters to the spill, to be counted at the time at which they happened.

    Each counts once: one that was replayed is left out, whoever does it at the same time. It stays
    as a row, so that its entry makes no second letter. Returns how many were sent. by: the user.
    """
    with transaction.atomic():
        chosen = list(letters.filter(replayed_at=None).select_for_update().order_by("pk"))
        Spilled.objects.bulk_create(
            [_spilled(letter) for letter in chosen],
            batch_size=rows_per_statement(one.body for one in chosen),
        )
        ids = [letter.pk for letter in chosen]
        DeadLetter.objects.filter(pk__in=ids).update(replayed_at=Now(), replayed_by=by)
    return len(chosen)


def _spilled(letter: DeadLetter) -> Spilled:
    at = letter.at
    if not EARLIEST <= at < LATEST:
        at = int(letter.created_at.timestamp() * 1000)
    return Spilled(
        partition=letter.partition,
        producer_id=letter.producer_id,
        sequence=letter.sequence,
        at=at,
        letter_id=letter.pk,
        body=letter.body,
        meta=letter.meta,
    )

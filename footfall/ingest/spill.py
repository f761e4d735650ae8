"""The spill: events that wait in the database because the log did not take them for certain."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from footfall.eventlog import EventId
from footfall.events import (
    EARLIEST,
    LATEST,
    DeadLetterReason,
    Malformed,
    decode,
    decode_meta,
)
from footfall.models import DeadLetter, Spilled
from footfall.sql.batch import rows_per_statement

MAX_TRIED = 10_000
"""Dead letters that are tried at once, the newest ones."""


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

    Each counts once: one that was replayed is left out, also if two replay it at once. It stays
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


def replay_readable() -> int:
    """Replay the dead letters that a flusher of an older version has made of events that this one
    can read. Returns how many were sent.
    """
    unknown, invalid = (
        Q(reason__startswith=reason.partition("{")[0])
        for reason in (DeadLetterReason.UNKNOWN_VERSION, DeadLetterReason.INVALID_META)
    )
    waiting = DeadLetter.waiting().filter(unknown | invalid).order_by("-pk")
    readable = [letter.pk for letter in waiting[:MAX_TRIED] if _is_readable(letter)]
    return replay(DeadLetter.objects.filter(pk__in=readable)) if readable else 0


def _is_readable(letter: DeadLetter) -> bool:
    try:
        decode(bytes(letter.body))
        decode_meta(bytes(letter.meta or b""))
    except Malformed:
        return False
    return True


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

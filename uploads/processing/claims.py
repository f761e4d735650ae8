"""Changes of a file's status. Each is a compare-and-set on its row, which is the only lease.

Times are the database's. None of them decides anything for long: a clock may jump.
"""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from footfall.common.outbox import backoff
from uploads.models import File, Status

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=5)
LONGEST_WAIT = timedelta(seconds=30)
"""For a storage that is away."""
MAX_REASON = 500
MOMENT = timedelta(milliseconds=1)

Beat = tuple[int, uuid.UUID | None, Any]
"""A file that is being processed: primary key, claim, last heartbeat."""


def is_ready() -> Q:
    """Match the files that wait and may be claimed now.

    A time that is further ahead than any retry was written while a clock was wrong.
    """
    now: Any = Now()
    due = Q(due_at=None) | Q(due_at__lte=now) | Q(due_at__gt=now + LONGEST_RETRY)
    return Q(due, status=Status.RECEIVED)


def claim(pk: int, *, is_slow: bool = False) -> File | None:
    """Claim a waiting file and count the attempt; None if another worker was faster."""
    claim_id = uuid.uuid4()
    slow = {"is_slow": True} if is_slow else {}
    claimed = File.objects.filter(is_ready(), pk=pk).update(
        status=Status.PROCESSING,
        attempts=F("attempts") + 1,
        claim=claim_id,
        claimed_at=Now(),
        due_at=None,
        error="",
        **slow,
    )
    return File.objects.filter(pk=pk, claim=claim_id).first() if claimed else None


def refresh(file: File) -> bool:
    """Write a heartbeat; return False if the claim is lost."""
    return bool(_claimed(file).update(claimed_at=Now()))


def succeed(file: File, metadata: dict[str, Any], thumbnail: str) -> bool:
    """Save the result, unless the claim is lost. thumbnail: its name in the storage, or ""."""
    return _finish(
        file,
        status=Status.PROCESSED,
        metadata=metadata,
        thumbnail=thumbnail,
        processed_at=Now(),
        error="",
    )


def fail(file: File, reason: str, dead_reason: str = "") -> bool:
    """Mark the file as failed, unless the claim is lost.

    reason: shown to users. dead_reason: if not empty, the file is a dead letter, too.
    """
    dead_reason = dead_reason.replace("\0", "")[:MAX_REASON]
    reason = reason.replace("\0", "")
    return _finish(file, status=Status.FAILED, error=reason, dead_reason=dead_reason)


def retry_later(file: File) -> bool:
    """Schedule the next attempt, unless the claim is lost."""
    due_at = Now() + backoff(file.attempts, FIRST_RETRY, LONGEST_RETRY)
    return _finish(file, status=Status.RECEIVED, due_at=due_at)


def wait(file: File, reason: str) -> bool:
    """Let the file wait for what is away, unless the claim is lost. It is no attempt."""
    due_at = Now() + backoff(file.outages + 1, FIRST_RETRY, LONGEST_WAIT)
    return _give_back(file, due_at=due_at, outages=F("outages") + 1, error=reason)


def postpone(file: File) -> bool:
    """Leave a file that takes long to the threads for such files. It is no attempt."""
    return _give_back(file, is_slow=True)


def in_process() -> list[Beat]:
    """Return what is being processed, with the last heartbeat of each."""
    rows = File.objects.filter(status=Status.PROCESSING).order_by("pk")
    return list(rows.values_list("pk", "claim", "claimed_at"))


def release(silent: Collection[Beat]) -> int:
    """Make due again what died with its worker; return how many files.

    Only those whose heartbeat is still the same. Each was an attempt: it may have been the file
    that killed its worker.
    """
    pause: Any = Now() + backoff(1, FIRST_RETRY, FIRST_RETRY)
    left = _still_silent(silent).filter(attempts__lt=settings.UPLOADS_ATTEMPTS)
    return left.update(status=Status.RECEIVED, claim=None, claimed_at=None, due_at=pause)


def give_up(silent: Collection[Beat], reason: str, dead_reason: str) -> int:
    """Fail what died with its worker in its last attempt; return how many files."""
    last = _still_silent(silent).filter(attempts__gte=settings.UPLOADS_ATTEMPTS)
    return last.update(
        status=Status.FAILED, claim=None, claimed_at=None, error=reason, dead_reason=dead_reason
    )


def _still_silent(silent: Collection[Beat]) -> QuerySet[File]:
    same = Q(pk__in=())
    for pk, claim_id, beat in silent:
        # SQLite writes its times in milliseconds, and compares texts.
        at = Q(claimed_at__range=(beat - MOMENT, beat + MOMENT)) if beat else Q(claimed_at=None)
        same |= Q(at, pk=pk, claim=claim_id)
    return File.objects.filter(same, status=Status.PROCESSING)


def retry_failed(files: QuerySet[File]) -> list[int]:
    """Reset those of the files that have failed, for another attempt; return their primary keys."""
    return [
        pk
        for pk in files.values_list("pk", flat=True)
        if File.objects.filter(pk=pk, status=Status.FAILED).update(
            status=Status.RECEIVED,
            attempts=0,
            outages=0,
            is_slow=False,
            error="",
            dead_reason="",
            due_at=None,
        )
    ]


def _claimed(file: File) -> QuerySet[File]:
    return File.objects.filter(pk=file.pk, status=Status.PROCESSING, claim=file.claim)


def _give_back(file: File, **values: object) -> bool:
    return _finish(file, status=Status.RECEIVED, attempts=F("attempts") - 1, **values)


def _finish(file: File, **values: object) -> bool:
    return bool(_claimed(file).update(claim=None, claimed_at=None, **values))

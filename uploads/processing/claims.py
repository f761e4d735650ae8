"""Changes of a file's status. Each is a compare-and-set on its row.

So a second event, worker or click changes nothing. Leases are measured by the database's clock: the
clocks of workers may differ.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from footfall.common.outbox import backoff
from uploads.models import File, Status

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=5)


def claim(pk: int, entry_id: str) -> File | None:
    """Claim a received file for this worker and count the attempt; None if that is not possible.

    A file that waits for its next attempt cannot be claimed: it is published again when it is due.
    """
    now = timezone.now()
    ready = Q(due_at=None) | Q(due_at__lte=now) | Q(attempts=0)
    claim_id = uuid.uuid4()
    claimed = File.objects.filter(ready, pk=pk, status=Status.RECEIVED).update(
        status=Status.PROCESSING,
        attempts=F("attempts") + 1,
        claim=claim_id,
        claimed_at=Now(),
        due_at=None,
        entry_id=entry_id,
    )
    return File.objects.filter(pk=pk, claim=claim_id).first() if claimed else None


def refresh(file: File) -> bool:
    """Extend the claim; return False if it is lost."""
    return bool(_claimed(file).update(claimed_at=Now()))


def is_abandoned() -> Q:
    """Match the files whose worker has not refreshed its claim for `UPLOADS_LEASE_SECONDS`."""
    lease = timedelta(seconds=settings.UPLOADS_LEASE_SECONDS)
    return Q(status=Status.PROCESSING, claimed_at__lt=Now() - lease)


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


def fail(file: File, reason: str) -> bool:
    """Mark the file as failed, unless the claim is lost. The reason is shown to users."""
    return _finish(file, status=Status.FAILED, error=reason.replace("\0", ""))


def retry_later(file: File) -> bool:
    """Schedule the next attempt, unless the claim is lost."""
    due_at = timezone.now() + backoff(file.attempts, FIRST_RETRY, LONGEST_RETRY)
    return _finish(file, status=Status.RECEIVED, due_at=due_at)


def retry_failed(files: QuerySet[File]) -> list[int]:
    """Reset those of the files that have failed, for another attempt; return their primary keys."""
    return [
        pk
        for pk in files.values_list("pk", flat=True)
        if File.objects.filter(pk=pk, status=Status.FAILED).update(
            status=Status.RECEIVED, attempts=0, error="", due_at=timezone.now()
        )
    ]


def _claimed(file: File) -> QuerySet[File]:
    return File.objects.filter(pk=file.pk, status=Status.PROCESSING, claim=file.claim)


def _finish(file: File, **values: object) -> bool:
    return bool(_claimed(file).update(claim=None, claimed_at=None, **values))

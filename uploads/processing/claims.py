"""Who may change a file: every step of its life is a compare-and-set on its row.

So whatever comes twice (an event, a worker that was thought dead, a click) changes nothing the
second time. The times are the database's: workers may differ about what time it is.
"""

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from uploads.models import File, Status

FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=5)


def claim(pk: int, entry_id: str) -> File | None:
    """Make the file this worker's own and count the attempt; None if it is not to be had.

    A file that backs off after a failed attempt is not: it comes again when it is due.
    """
    now = timezone.now()
    ready = Q(due_at=None) | Q(due_at__lte=now) | Q(attempts=0)
    mine = uuid.uuid4()
    claimed = File.objects.filter(ready, pk=pk, status=Status.RECEIVED).update(
        status=Status.PROCESSING,
        attempts=F("attempts") + 1,
        claim=mine,
        claimed_at=Now(),
        due_at=None,
        entry_id=entry_id,
    )
    return File.objects.filter(pk=pk, claim=mine).first() if claimed else None


def refresh(file: File) -> bool:
    """Say that the claim is alive; return False if it is lost."""
    return bool(_claimed(file).update(claimed_at=Now()))


def is_abandoned() -> Q:
    """Match the files whose worker has not refreshed its claim for the length of a lease."""
    lease = timedelta(seconds=settings.UPLOADS_LEASE_SECONDS)
    return Q(status=Status.PROCESSING, claimed_at__lt=Now() - lease)


def succeed(file: File, metadata: dict[str, Any], thumbnail: str) -> bool:
    """Apply the result, unless the claim is lost. `thumbnail`: its name in the storage, or ""."""
    return _finish(
        file,
        status=Status.PROCESSED,
        metadata=metadata,
        thumbnail=thumbnail,
        processed_at=Now(),
        error="",
    )


def fail(file: File, reason: str) -> bool:
    """Give the file its final failure, unless the claim is lost. The reason is for a person."""
    return _finish(file, status=Status.FAILED, error=reason.replace("\0", ""))


def put_back(file: File) -> bool:
    """Have the file tried again after a while, unless the claim is lost."""
    due_at = timezone.now() + delay(file.attempts)
    return _finish(file, status=Status.RECEIVED, due_at=due_at)


def start_over(files: QuerySet[File]) -> list[int]:
    """Have failed files tried anew, with all their attempts; return the ids of those that were."""
    return [
        pk
        for pk in files.values_list("pk", flat=True)
        if File.objects.filter(pk=pk, status=Status.FAILED).update(
            status=Status.RECEIVED, attempts=0, error="", due_at=timezone.now()
        )
    ]


def delay(attempts: int, draw: Callable[[], float] | None = None) -> timedelta:
    """Return how long to wait after so many attempts: up to 2, 4, 8... seconds, at random.

    All of it is drawn, from 0 on ("full jitter"), so that files that failed together do not come
    back together.
    """
    ceiling = min(LONGEST_DELAY, FIRST_DELAY * (1 << min(attempts - 1, 30)))
    return ceiling * (draw or random.random)()


def _claimed(file: File) -> QuerySet[File]:
    return File.objects.filter(pk=file.pk, status=Status.PROCESSING, claim=file.claim)


def _finish(file: File, **values: object) -> bool:
    return bool(_claimed(file).update(claim=None, claimed_at=None, **values))

"""Dead letters: events whose file was given up, or that name no file. Staff decide about them."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from uploads.models import File
from uploads.processing import claims
from uploads.queue import get_queue
from uploads.queue.events import MalformedEvent, decode
from uploads.queue.redis_queue import DeadLetter

MAX_SEARCHED = 20_000  # dead letters; the queue keeps about half as many


def latest(count: int) -> list[dict[str, Any]]:
    """Return the latest dead letters, the newest first. Raises LogError.

    Each has `id`, `at` (of the event, or None), `reason`, `body`, and `file` if it still exists.
    """
    dead_letters = get_queue().dead_letters(count)
    files = File.objects.in_bulk([pk for one in dead_letters if (pk := file_pk(one))])
    return [
        {
            "id": one.id,
            "at": datetime.fromtimestamp(one.at / 1000, UTC) if one.at >= 0 else None,
            "reason": one.reason,
            "body": one.body[:200].decode(errors="backslashreplace"),
            "file": files.get(file_pk(one) or 0),
        }
        for one in dead_letters
    ]


def file_pk(dead_letter: DeadLetter) -> int | None:
    """Return the primary key of the file that the dead letter names."""
    try:
        return decode(dead_letter.body)
    except MalformedEvent:
        return None


def retry_files(files: QuerySet[File]) -> int:
    """Process the failed files again and delete their dead letters; return how many files.

    Raises LogError if the dead letters cannot be deleted; the files are processed nevertheless.
    """
    pks = set(claims.retry_failed(files))
    if pks:
        dead_letters = get_queue().dead_letters(MAX_SEARCHED)
        get_queue().delete_dead_letters([one.id for one in dead_letters if file_pk(one) in pks])
    return len(pks)


def retry(ids: Collection[str]) -> int:
    """Retry the files of these dead letters; a dead letter whose file is gone stays."""
    pks = [file_pk(one) for one in get_queue().dead_letters(MAX_SEARCHED) if one.id in ids]
    return retry_files(File.objects.filter(pk__in=[pk for pk in pks if pk]))

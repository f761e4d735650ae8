"""Dead letters: files that were given up, and entries that name none. Staff decide about them.

A file is one as long as its row has a `dead_reason`, whatever becomes of Redis. Entries are in a
stream of the queue; the version before kept the files there, too.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from uploads.models import File, Status
from uploads.processing import claims
from uploads.queue import get_queue
from uploads.queue.events import MalformedEvent, decode
from uploads.queue.redis_queue import DeadLetter

MAX_SEARCHED = 20_000  # dead letters in Redis, which keeps about half as many
OF_FILE = "file-"
"""Begins the id of a dead letter that is a row."""


def dead_files() -> QuerySet[File]:
    return File.objects.filter(status=Status.FAILED).exclude(dead_reason="")


def count() -> int:
    """Return the number of dead letters. Raises LogError."""
    return dead_files().count() + get_queue().count_dead_letters()


def of_files(limit: int) -> list[dict[str, Any]]:
    """Return the latest files that were given up, the newest first.

    Each has `id`, `at` (when it was uploaded), `reason`, `body` and `file`.
    """
    return [
        {
            "id": f"{OF_FILE}{file.pk}",
            "at": file.uploaded_at,
            "reason": file.dead_reason,
            "body": "",
            "file": file,
        }
        for file in dead_files().order_by("-pk")[:limit]
    ]


def of_entries(limit: int) -> list[dict[str, Any]]:
    """Return the latest dead letters in Redis, the newest first. Raises LogError.

    As `of_files`; `at` is None if the entry names no possible time, `file` if there is none.
    """
    letters = get_queue().dead_letters(limit)
    files = File.objects.in_bulk([pk for one in letters if (pk := file_pk(one))])
    return [
        {
            "id": one.id,
            "at": time_of(one.at),
            "reason": one.reason,
            "body": one.body[:200].decode(errors="backslashreplace"),
            "file": files.get(file_pk(one) or 0),
        }
        for one in letters
    ]


def time_of(milliseconds: int) -> datetime | None:
    """Return the time; None if it is unknown, or no time that a calendar has."""
    if milliseconds >= 0:
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(milliseconds / 1000, UTC)
    return None


def file_pk(dead_letter: DeadLetter) -> int | None:
    """Return the primary key of the file that the dead letter names."""
    try:
        return decode(dead_letter.body)
    except MalformedEvent:
        return None


def retry_files(files: QuerySet[File]) -> int:
    """Process the failed files again and delete their dead letters; return how many files.

    Raises LogError if those in Redis cannot be deleted; the files are processed nevertheless.
    """
    pks = set(claims.retry_failed(files))
    if pks:
        letters = get_queue().dead_letters(MAX_SEARCHED)
        get_queue().delete_dead_letters([one.id for one in letters if file_pk(one) in pks])
    return len(pks)


def retry(ids: Collection[str]) -> int:
    """Retry the files of these dead letters; a dead letter whose file is gone stays."""
    pks = keys(ids)
    if entries := [one for one in ids if not one.startswith(OF_FILE)]:
        letters = get_queue().dead_letters(MAX_SEARCHED)
        pks += [pk for one in letters if one.id in entries and (pk := file_pk(one))]
    return retry_files(File.objects.filter(pk__in=pks))


def dismiss(ids: Collection[str]) -> int:
    """Delete these dead letters; return how many. The files stay failed. Raises LogError."""
    dismissed = dead_files().filter(pk__in=keys(ids)).update(dead_reason="")
    entries = [one for one in ids if not one.startswith(OF_FILE)]
    return dismissed + get_queue().delete_dead_letters(entries)


def keys(ids: Collection[str]) -> list[int]:
    """Return the primary keys in the ids of dead letters that are rows."""
    texts = [one.removeprefix(OF_FILE) for one in ids if one.startswith(OF_FILE)]
    return [int(text) for text in texts if text.isdecimal() and len(text) < 19]

"""The dead letters: events whose file was given up, or that name none. People decide about them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import QuerySet

from uploads.models import File
from uploads.processing import claims
from uploads.queue import get_queue
from uploads.queue.events import Malformed, decode
from uploads.queue.redis_queue import DeadLetter

MOST = 20_000  # letters that are looked through: the queue keeps about half as many


@dataclass(frozen=True)
class Letter:
    """A dead letter, and the file that it names if that is there still."""

    id: str
    at: datetime | None
    """When the event happened."""
    reason: str
    body: str
    file: File | None


def letters(count: int) -> list[Letter]:
    """Return the latest dead letters, the last first. Raises LogError."""
    dead = get_queue().dead(count)
    files = File.objects.in_bulk([pk for letter in dead if (pk := named(letter))])
    return [
        Letter(
            id=letter.id,
            at=datetime.fromtimestamp(letter.at / 1000, UTC) if letter.at >= 0 else None,
            reason=letter.reason,
            body=letter.body[:200].decode(errors="backslashreplace"),
            file=files.get(named(letter) or 0),
        )
        for letter in dead
    ]


def named(letter: DeadLetter) -> int | None:
    """Return the id of the file that the letter names."""
    try:
        return decode(letter.body)
    except Malformed:
        return None


def try_again(files: QuerySet[File]) -> int:
    """Have failed files processed anew, and dismiss their letters; return how many files.

    Raises LogError; then the files are tried all the same, and their letters stay.
    """
    pks = set(claims.start_over(files))
    if pks:
        dismiss(letter.id for letter in get_queue().dead(MOST) if named(letter) in pks)
    return len(pks)


def try_letters_again(chosen: Collection[str]) -> int:
    """Do so with the files that the chosen letters name; a letter whose file is gone stays."""
    named_by = (named(letter) for letter in get_queue().dead(MOST) if letter.id in chosen)
    return try_again(File.objects.filter(pk__in=[pk for pk in named_by if pk]))


def dismiss(chosen: Iterable[str]) -> int:
    """Remove the letters for good; return how many there were. Raises LogError."""
    return get_queue().discard(list(chosen))

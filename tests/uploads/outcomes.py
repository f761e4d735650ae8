"""What has become of a file, and the times that a test does not wait for."""

from datetime import timedelta
from pathlib import Path

from django.db.models.fields.files import FieldFile
from django.utils import timezone

from uploads.models import File
from uploads.queue.outbox import publish_due


def stored(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}


def read(stored: FieldFile) -> bytes:
    with stored.open() as opened:
        return bytes(opened.read())


def outcome(file: File) -> tuple[str, int, str]:
    file.refresh_from_db()
    return file.status, file.attempts, file.error


def make_due(file: File) -> None:
    """End the time for which it backs off."""
    file.refresh_from_db()
    assert file.due_at
    File.objects.filter(pk=file.pk).update(due_at=timezone.now())
    assert publish_due() == 1


def age(file: File) -> None:
    """Have its claim last refreshed long ago."""
    File.objects.filter(pk=file.pk).update(claimed_at=timezone.now() - timedelta(hours=1))

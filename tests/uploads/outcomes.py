"""What has become of a file, and the times that a test does not wait for."""

from pathlib import Path

from django.db.models.fields.files import FieldFile

from uploads.models import File


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
    assert File.objects.filter(pk=file.pk, due_at__isnull=False).update(due_at=None)

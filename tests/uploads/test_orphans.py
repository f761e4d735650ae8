"""Stored files without a row, and rows without a stored file."""

import os
import time
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from tests.support.files import MakeFile
from uploads import tasks
from uploads.models import File, Status
from uploads.orphans import compare

pytestmark = pytest.mark.django_db

HOUR = 3600


def store(media: Path, name: str, age: float) -> Path:
    path = media / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_old_files_without_a_row_are_removed(make_file: MakeFile, media: Path) -> None:
    file = make_file(status=Status.PROCESSED, thumbnail="thumbnails/ab/a-1.webp")
    kept = [
        Path(file.file.path),
        store(media, "thumbnails/ab/a-1.webp", 2 * HOUR),
        store(media, "files/ab/young.txt", HOUR / 2),
        store(media, "files/another.txt", 2 * HOUR),
    ]
    os.utime(kept[0], (0, 0))
    File.objects.filter(pk=file.pk).update(file=f"files/ab/{kept[0].name}")
    moved = media / "files" / "ab" / kept[0].name
    kept[0] = kept[0].rename(moved)
    orphans = [
        store(media, "files/ab/old.txt", 2 * HOUR),
        store(media, "thumbnails/ab/a-2.webp", 2 * HOUR),
        store(media, "thumbnails/cd/b-1.webp", 2 * HOUR),
    ]

    assert compare() == (3, 0)

    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in orphans)
    assert compare() == (0, 0)


def test_rows_without_a_stored_file_are_failed(make_file: MakeFile, media: Path) -> None:
    there = make_file(status=Status.PROCESSED)
    files = {status: make_file(status=status) for status in Status}
    for file in files.values():
        Path(file.file.path).unlink()

    tasks.compare()

    there.refresh_from_db()
    assert there.status == Status.PROCESSED
    told = set(File.objects.filter(error="The stored file is missing.").values_list("pk", "status"))
    lost = {files[Status.RECEIVED].pk, files[Status.PROCESSED].pk}
    assert told == {(pk, Status.FAILED) for pk in lost}
    assert not File.objects.filter(pk__in=lost, due_at__isnull=False).exists()


def test_a_storage_that_is_not_there_fails_nothing(
    make_file: MakeFile, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = make_file()
    media.rename(media.with_name("unmounted"))

    assert compare() == (0, 0)

    file.refresh_from_db()
    assert file.status == Status.RECEIVED
    assert "the storage is empty" in caplog.text


def test_a_file_that_goes_while_it_is_compared_is_no_orphan(
    make_file: MakeFile, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file()
    path = store(media, "files/ab/old.txt", 2 * HOUR)
    ask = FileSystemStorage.get_modified_time

    def deleted_meanwhile(self: FileSystemStorage, name: str) -> object:
        path.unlink()
        return ask(self, name)

    monkeypatch.setattr(FileSystemStorage, "get_modified_time", deleted_meanwhile)

    assert compare() == (0, 0)

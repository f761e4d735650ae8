"""Stored files without a row, and rows without a stored file. No clock deletes anything."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from footfall.identity import MAX_STEP
from footfall.models import Identity
from tests.support.files import MakeFile
from uploads.models import File, Orphan, Status
from uploads.storage import orphans
from uploads.storage.orphans import GRACE_EPOCHS, GRACE_LOOKS, compare

pytestmark = pytest.mark.django_db

DAY = 86_400


@pytest.fixture(autouse=True)
def _few_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "FOLDERS", ["ab", "cd"])


def store(media: Path, name: str, age: float = 2 * DAY) -> Path:
    path = media / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age,) * 2)
    return path


def in_folder(file: File) -> Path:
    """Move its stored file to a folder that is compared."""
    path = Path(file.file.path)
    moved = path.parents[1] / "ab" / path.name
    moved.parent.mkdir(parents=True, exist_ok=True)
    File.objects.filter(pk=file.pk).update(file=f"files/ab/{path.name}")
    return path.rename(moved)


def pass_epochs(epochs: int) -> None:
    identity = Identity.objects.get()
    Identity.objects.update(epoch=identity.epoch + epochs)


def compare_for_days() -> int:
    """Compare as often, and over as many hours, as the grace period has; return how many moved."""
    moved = sum(compare()[0] for _ in range(GRACE_LOOKS))
    pass_epochs(GRACE_EPOCHS)
    return moved + compare()[0]


def trashed(media: Path) -> int:
    return len(list((media / "trash").glob("*.bin")))


def test_files_that_have_no_row_for_days_are_moved_to_the_trash(
    make_file: MakeFile, media: Path
) -> None:
    file = make_file(status=Status.PROCESSED, thumbnail="thumbnails/ab/a-1.webp")
    kept = [
        in_folder(file),
        store(media, "thumbnails/ab/a-1.webp"),
        store(media, "files/another.txt"),
    ]
    old = [
        store(media, "files/ab/old.txt"),
        store(media, "thumbnails/ab/a-2.webp"),
        store(media, "thumbnails/cd/b-1.webp"),
        store(media, "incoming/abc.part"),
    ]

    assert compare_for_days() == 4

    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in old)
    assert trashed(media) == 4
    assert compare() == (0, 0)
    assert not Orphan.objects.exists()


@pytest.mark.parametrize("ahead", [2 * 3600, 365 * DAY])
def test_a_clock_that_jumps_moves_nothing(
    ahead: float, media: Path, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All clocks of the machine are ahead, of the storage and of the database."""
    make_file()
    fresh = store(media, "files/ab/being-uploaded.txt", age=ahead)
    compare()
    pass_epochs(min(int(ahead // 3600), MAX_STEP))

    assert [compare()[0] for _ in range(10)] == [0] * 10
    assert fresh.exists()


@pytest.mark.parametrize("missing", ["epochs", "looks", "age"])
def test_only_what_everything_agrees_on_is_moved(
    missing: str, media: Path, make_file: MakeFile
) -> None:
    make_file()
    path = store(media, "files/ab/old.txt", age=0 if missing == "age" else 2 * DAY)
    compare()
    Orphan.objects.update(seen=GRACE_LOOKS - 1 if missing == "looks" else 100)
    pass_epochs(GRACE_EPOCHS - 1 if missing == "epochs" else GRACE_EPOCHS)

    assert compare()[0] == 0
    assert path.exists()


def test_a_file_whose_row_comes_back_begins_again(media: Path, make_file: MakeFile) -> None:
    """A backup was restored, and then a newer one."""
    file = make_file()
    path = in_folder(file)
    File.objects.update(file="files/cd/else.txt")
    store(media, "files/cd/else.txt")
    for _ in range(GRACE_LOOKS):
        compare()
    File.objects.update(file=f"files/ab/{path.name}")
    pass_epochs(GRACE_EPOCHS)

    compare()

    assert path.exists()
    assert not Orphan.objects.filter(name__startswith="files/ab").exists()


def test_rows_without_a_stored_file_are_failed(make_file: MakeFile, media: Path) -> None:
    there = make_file(status=Status.PROCESSED)
    in_folder(there)
    files = {status: make_file(status=status) for status in Status}
    for file in files.values():
        in_folder(file).unlink()

    compare()

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
    path = store(media, "files/ab/old.txt")
    compare()
    Orphan.objects.update(seen=100, epoch=-GRACE_EPOCHS)
    ask = FileSystemStorage.get_modified_time

    def deleted_meanwhile(self: FileSystemStorage, name: str) -> object:
        path.unlink(missing_ok=True)
        return ask(self, name)

    monkeypatch.setattr(FileSystemStorage, "get_modified_time", deleted_meanwhile)

    assert compare() == (0, 0)


def test_the_grace_period_is_longer_than_a_clock_can_jump() -> None:
    assert GRACE_EPOCHS >= MAX_STEP + 24
    assert timedelta(days=1) <= orphans.GRACE_AGE

"""The trash, and what is kept for how long."""

import json
import os
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from footfall import identity
from footfall.identity import HOURS_PER_DAY, Moment
from footfall.models import Identity
from tests.support.files import MakeFile
from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import read, stored
from uploads import tasks
from uploads.models import File, Status
from uploads.processing.worker import process_next
from uploads.storage import expiry, orphans, trash

pytestmark = pytest.mark.django_db

WEEK = 7 * HOURS_PER_DAY


def later(epochs: int) -> Moment:
    now = identity.moment()
    return now._replace(epoch=now.epoch + epochs)


def run(*words: str, **options: object) -> str:
    out = StringIO()
    call_command("uploads", *words, stdout=out, stderr=out, **options)
    return out.getvalue()


def age_trash(media: Path, days: float) -> None:
    for path in (media / "trash").glob("*"):
        os.utime(path, (time.time() - days * 86_400,) * 2)


def expire_now() -> int:
    expiry.note_epochs(later(0))
    return expiry.expire(later(WEEK))


def test_files_of_no_account_expire_and_others_stay(
    make_file: MakeFile,
    django_user_model: type[User],
    media: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    owner = django_user_model.objects.create_user("a", "a@b.example", "x")
    kept = [make_file(owner=owner, sender=f"u{owner.pk}"), make_file(sender="u999")]
    anonymous = [make_file(sender="a1"), make_file(thumbnail="thumbnails/ab/c.webp")]
    (media / "thumbnails/ab").mkdir(parents=True)
    (media / "thumbnails/ab/c.webp").write_bytes(b"x")
    expiry.note_epochs(later(0))

    assert expiry.expire(later(WEEK - 1)) == 0
    with django_capture_on_commit_callbacks(execute=True):
        assert expiry.expire(later(WEEK)) == 2

    assert set(File.objects.all()) == set(kept)
    assert not any((media / str(file.file)).exists() for file in anonymous)
    assert len(list((media / "trash").glob("*.json"))) == 2
    assert not (media / "thumbnails/ab/c.webp").exists()


def test_a_clock_that_jumps_by_years_expires_nothing(
    make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file()
    monkeypatch.setattr(orphans, "FOLDERS", [])  # to compare all of them takes its time
    tasks.compare()
    ahead = identity.database_now().replace(year=2099)
    monkeypatch.setattr(identity, "database_now", lambda: ahead)
    monkeypatch.setattr(tasks.hourly, "_last", float("-inf"))

    tasks.compare()

    assert File.objects.exists()


def test_nothing_expires_without_days(make_file: MakeFile, settings: Settings) -> None:
    settings.UPLOADS_ANONYMOUS_DAYS = 0
    make_file()

    assert expire_now() == 0


def test_what_expired_is_restored_with_its_row(
    make_file: MakeFile, sandbox: FakeSandbox, media: Path
) -> None:
    file = make_file(b"precious", name="precious.txt", sender="a1")
    before = File.objects.values("pk", "name", "size", "sha256", "uploaded_at", "file").get()
    expire_now()
    listed = run("trash")
    assert "precious.txt" in listed
    assert "1 files are in the trash." in listed

    assert "1 files were restored." in run("restore", str(file.file))

    after = File.objects.values("pk", "name", "size", "sha256", "uploaded_at", "file").get()
    assert after == before
    assert read(File.objects.get().file) == b"precious"
    assert stored(media) == {str(file.file)}
    assert process_next()
    expiry.note_epochs(later(WEEK))
    assert expiry.expire(later(WEEK)) == 0  # its time begins again
    assert File.objects.get().status == Status.PROCESSED


def test_a_restored_file_does_not_take_the_key_of_another(make_file: MakeFile) -> None:
    file = make_file(name="old.txt")
    expire_now()
    make_file(name="new.txt", pk=file.pk)

    run("restore", all=True)

    assert set(File.objects.values_list("name", flat=True)) == {"old.txt", "new.txt"}
    assert File.objects.get(pk=file.pk).name == "new.txt"


def test_a_row_that_failed_without_its_file_is_tried_again(make_file: MakeFile) -> None:
    file = make_file(status=Status.FAILED, error="The stored file is missing.")
    trash.discard(str(file.file), "no row", later(0))

    run("restore", str(file.file))

    file.refresh_from_db()
    assert (file.status, file.error) == (Status.RECEIVED, "")


def test_a_file_that_is_there_again_is_not_overwritten(make_file: MakeFile, media: Path) -> None:
    file = make_file(b"first")
    name = str(file.file)
    trash.discard(name, "no row", later(0))
    (media / name).write_bytes(b"second")

    assert "0 files were restored." in run("restore", name)

    assert (media / name).read_bytes() == b"second"
    assert len(list((media / "trash").glob("*.bin"))) == 1


def test_what_the_command_is_not_told_it_does_not_do() -> None:
    for words in (("restore",), ("restore", "--all", "files/x"), ("restore", "files/x")):
        with pytest.raises(CommandError):
            run(*words)


def test_only_one_reason_is_restored(make_file: MakeFile) -> None:
    orphan = make_file()
    trash.discard(str(orphan.file), "no row", later(0))
    orphan.delete()
    make_file()
    expire_now()

    assert "1 files were restored." in run("restore", all=True, reason="expired")
    assert [one.name for one in trash.contents()] == [str(orphan.file)]


def test_the_trash_is_emptied_when_both_clocks_say_so(
    make_file: MakeFile, media: Path, settings: Settings
) -> None:
    settings.UPLOADS_TRASH_DAYS = 3
    trash.discard(str(make_file().file), "no row", later(0))

    assert trash.purge(later(3 * HOURS_PER_DAY)) == 0  # the storage's clock says: just now
    age_trash(media, 4)
    assert trash.purge(later(3 * HOURS_PER_DAY - 1)) == 0
    assert trash.purge(later(-1000)) == 0  # an older dump was restored
    assert trash.purge(later(3 * HOURS_PER_DAY)) == 1

    assert stored(media) == set()


def test_what_is_no_manifest_is_left_alone(media: Path, make_file: MakeFile) -> None:
    trash.discard(str(make_file().file), "no row", later(0))
    (media / "trash" / "other.json").write_text("[1]")
    (media / "trash" / "more.json").write_text(json.dumps({"a": 1}))

    assert len(list(trash.contents())) == 1


def test_the_task_does_all_of_it_and_not_twice_at_once(make_file: MakeFile) -> None:
    make_file()
    tasks.compare()
    Identity.objects.update(epoch=10_000)

    tasks.compare()  # ticks that have waited together
    assert File.objects.exists()
    tasks.hourly._last = float("-inf")
    tasks.compare()

    assert not File.objects.exists()

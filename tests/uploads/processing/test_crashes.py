"""Real processes that die at every step of the way of a file, and what becomes of it."""

import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from footfall.common.failpoints import ENVIRONMENT
from tests.support import files as making
from tests.support import processes
from tests.support.failpoints import GIVEN_UP, UPLOAD, WORK
from tests.support.files import MakeFile
from uploads.models import File, Kind, Status
from uploads.processing import dead_letters, sandbox
from uploads.processing.abandoned import release_abandoned
from uploads.processing.worker import process_next
from uploads.queue.outbox import publish
from uploads.queue.redis_queue import RedisQueue
from uploads.storage import orphans
from uploads.web.create import create_file
from uploads.web.received_file import ReceivedFile

pytestmark = pytest.mark.django_db(transaction=True)


def upload_picture() -> None:
    received = ReceivedFile("a.png")
    received.append(making.png())
    received.finish()
    create_file(received, None)


def die(environment: dict[str, str], failpoint: str, job: Callable[[], object]) -> None:
    died = processes.run({**environment, ENVIRONMENT: failpoint}, job)
    assert died.returncode == -signal.SIGKILL


def process_all(settings: Settings) -> None:
    """Process what is there as the next worker does, without the times that it waits."""
    settings.UPLOADS_LEASE_SECONDS = 0
    while release_abandoned() or make_due() or process_next():
        pass


def make_due() -> int:
    return File.objects.filter(due_at__isnull=False).update(due_at=None)


def compare(monkeypatch: pytest.MonkeyPatch, media: Path) -> None:
    """Compare rows and storage, without the grace period; empty the trash."""
    names = stored(media).union(File.objects.values_list("file", flat=True))
    monkeypatch.setattr(orphans, "FOLDERS", {Path(name).parent.name for name in names})
    monkeypatch.setattr(orphans, "GRACE_EPOCHS", 0)
    monkeypatch.setattr(orphans, "GRACE_LOOKS", 0)
    monkeypatch.setattr(orphans, "GRACE_AGE", timedelta(0))
    orphans.compare()
    shutil.rmtree(media / "trash", ignore_errors=True)


@pytest.fixture
def picture(make_file: MakeFile) -> File:
    return make_file(making.png(), "a.png", kind=Kind.IMAGE, content_type="image/png")


@pytest.mark.parametrize("failpoint", WORK)
def test_a_file_whose_worker_is_killed_is_processed_once(
    failpoint: str,
    picture: File,
    queue: RedisQueue,
    environment: dict[str, str],
    settings: Settings,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, waits, attempts = WORK[failpoint]
    publish(picture)

    die(environment, failpoint, process_next)

    picture.refresh_from_db()
    assert picture.status == status
    assert queue.length() == waits
    process_all(settings)
    picture.refresh_from_db()
    assert (picture.status, picture.attempts) == (Status.PROCESSED, attempts)
    assert picture.metadata["width"] == 64
    assert (queue.length(), dead_letters.count()) == (0, 0)
    compare(monkeypatch, media)
    assert stored(media) == {str(picture.file), str(picture.thumbnail)}


def stored(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}


@pytest.mark.parametrize("failpoint", UPLOAD)
def test_a_file_whose_upload_is_killed_is_processed_once_or_gone(
    failpoint: str,
    queue: RedisQueue,
    environment: dict[str, str],
    settings: Settings,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_kept, entries = UPLOAD[failpoint]

    die(environment, failpoint, upload_picture)

    assert (File.objects.count(), queue.length()) == (is_kept, entries)
    process_all(settings)
    compare(monkeypatch, media)
    files = list(File.objects.all())
    assert [(file.status, file.attempts) for file in files] == [(Status.PROCESSED, 1)] * is_kept
    assert stored(media) == {str(name) for file in files for name in (file.file, file.thumbnail)}
    assert (queue.length(), dead_letters.count()) == (0, 0)


@pytest.mark.parametrize("failpoint", GIVEN_UP)
def test_a_file_that_is_given_up_while_its_worker_dies_is_one_dead_letter(
    failpoint: str,
    picture: File,
    queue: RedisQueue,
    environment: dict[str, str],
    settings: Settings,
) -> None:
    is_dead = GIVEN_UP[failpoint]
    publish(picture)
    limits = {"UPLOADS_ATTEMPTS": "1"}

    die({**environment, **limits}, failpoint, process_interrupted)

    picture.refresh_from_db()
    assert picture.status == (Status.FAILED if is_dead else Status.PROCESSING)
    assert (queue.length(), dead_letters.count()) == (0, is_dead)
    settings.UPLOADS_ATTEMPTS = 1
    process_all(settings)
    assert (queue.length(), dead_letters.count()) == (0, 1)
    picture.refresh_from_db()
    assert (picture.status, picture.attempts) == (Status.FAILED, 1)


def process_interrupted() -> None:
    """Process a file whose child process is killed each time."""

    def interrupted(*arguments: object) -> None:
        raise sandbox.Interrupted("killed")

    sandbox.process = interrupted  # type: ignore[assignment]
    process_next()

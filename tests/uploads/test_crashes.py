"""Real processes that die at every step of the way of a file, and what becomes of it."""

import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from eventlog import RedisQueue
from eventlog.failpoints import ENVIRONMENT
from tests.uploads import making
from tests.uploads.conftest import MakeFile
from uploads import orphans
from uploads.models import File, Kind, Status
from uploads.outbox import publish, publish_due
from uploads.work import work

pytestmark = pytest.mark.django_db(transaction=True)

# Where a worker can die, what its file is then, and how many attempts it takes in all.
WORK = {
    "upload_taken": (Status.RECEIVED, 1),
    "upload_claimed": (Status.PROCESSING, 2),
    "upload_processed": (Status.PROCESSING, 2),
    "upload_examined": (Status.PROCESSING, 2),
    "upload_finished": (Status.PROCESSED, 1),
}
RUN = """
import django, sys
django.setup()
from uploads.models import File
from uploads.outbox import publish
from uploads.work import work
publish(File.objects.get()) if sys.argv[1] == "publish" else work()
"""


def die(environment: dict[str, str], failpoint: str, what: str) -> None:
    died = subprocess.run(
        [sys.executable, "-c", RUN, what],
        env={**environment, ENVIRONMENT: failpoint},
        check=False,
        timeout=60,
    )
    assert died.returncode == -signal.SIGKILL


def process_all(settings: Settings) -> None:
    """Process what is there as the next worker does, without the times that it waits."""
    settings.UPLOADS_LEASE_SECONDS = 0
    while work() or make_due():
        pass


def make_due() -> int:
    File.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    return publish_due()


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
    status, attempts = WORK[failpoint]
    publish(picture)

    die(environment, failpoint, "work")

    picture.refresh_from_db()
    assert picture.status == status
    assert queue.length() == 1
    process_all(settings)
    picture.refresh_from_db()
    assert (picture.status, picture.attempts) == (Status.PROCESSED, attempts)
    assert picture.metadata["width"] == 64
    assert (queue.length(), queue.dead_count()) == (0, 0)
    monkeypatch.setattr(orphans, "AGE", timedelta(0))
    orphans.compare()
    left = {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}
    assert left == {str(picture.file), str(picture.thumbnail)}


def test_a_file_whose_upload_is_killed_while_it_publishes_is_processed_once(
    picture: File, queue: RedisQueue, environment: dict[str, str], settings: Settings
) -> None:
    die(environment, "upload_appended", "publish")

    picture.refresh_from_db()
    assert picture.due_at
    assert make_due() == 1
    assert queue.length() == 2
    process_all(settings)
    picture.refresh_from_db()
    assert (picture.status, picture.attempts) == (Status.PROCESSED, 1)
    assert queue.length() == 0


def test_a_file_that_was_given_up_before_its_worker_died_is_a_dead_letter(
    picture: File, queue: RedisQueue, environment: dict[str, str], settings: Settings, media: Path
) -> None:
    media.rename(media.with_name("unmounted"))
    publish(picture)

    die({**environment, "UPLOADS_ATTEMPTS": "1"}, "upload_finished", "work")

    picture.refresh_from_db()
    assert picture.status == Status.FAILED
    assert (queue.length(), queue.dead_count()) == (1, 0)
    settings.UPLOADS_ATTEMPTS = 1
    process_all(settings)
    assert (queue.length(), queue.dead_count()) == (0, 1)
    picture.refresh_from_db()
    assert (picture.status, picture.attempts) == (Status.FAILED, 1)


def test_every_failpoint_is_tested() -> None:
    sources = [path.read_text() for path in sorted(Path("uploads").rglob("*.py"))]
    named = {name for text in sources for name in re.findall(r'failpoint\("(\w+)"\)', text)}

    assert named == {*WORK, "upload_appended"}

"""One file, from the queue to its result: it is processed once."""

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError, connections
from pytest_django import Settings

from tests.support import files as making
from tests.support.files import Upload
from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import make_due, outcome, read, stored
from uploads.models import File, Kind, Status
from uploads.processing import claims, dead_letters, worker
from uploads.processing import sandbox as real
from uploads.processing.sandbox import Interrupted
from uploads.processors.base import Result, Unprocessable
from uploads.queue.events import encode
from uploads.queue.redis_queue import RedisQueue

pytestmark = pytest.mark.usefixtures("sandbox")

PROCESS = real.process


def test_a_file_is_processed(upload: Upload, queue: RedisQueue, media: Path) -> None:
    file = upload(b"Hello\n")

    assert worker.process_next()
    assert not worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert file.processed
    assert file.processed_at
    assert file.metadata == {"bytes": 6}
    assert read(file.thumbnail) == b"thumbnail"
    assert stored(media) == {str(file.file), str(file.thumbnail)}
    assert (queue.length(), queue.dead_letters()) == (0, [])


def test_what_is_real_is_processed_for_real(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "process", PROCESS)
    file = upload(making.png((64, 48)), kind=Kind.IMAGE, content_type="image/png")
    broken = upload(making.png()[:60], kind=Kind.IMAGE, content_type="image/png")

    assert worker.process_next()
    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert (file.metadata["width"], file.metadata["height"]) == (64, 48)
    assert read(file.thumbnail)[:4] == b"RIFF"
    assert outcome(broken)[:2] == (Status.FAILED, 1)
    assert broken.error


def test_the_same_event_twice_is_processed_once(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox
) -> None:
    file = upload()
    queue.append(encode(file.pk), 0)

    assert worker.process_next()
    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert len(sandbox.processed) == 1
    assert queue.length() == 0


def test_a_second_event_while_the_first_is_worked_on_is_dropped(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox
) -> None:
    file = upload()
    queue.append(encode(file.pk), 0)

    def process(path: Path) -> Result:
        assert worker.process_next()
        assert queue.length() == 0
        return Result({"by": "the first"})

    sandbox.process = process
    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert len(sandbox.processed) == 1
    assert queue.length() == 0


@pytest.mark.django_db(transaction=True)
def test_many_workers_process_each_file_once(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox
) -> None:
    files = [upload(str(number).encode()) for number in range(40)]
    for file in files[::2]:
        queue.append(encode(file.pk), 0)

    def drain(number: int) -> None:
        while worker.process_next():
            pass
        connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(drain, range(4)))

    assert {outcome(file) for file in files} == {(Status.PROCESSED, 1, "")}
    assert sorted(map(int, sandbox.processed)) == list(range(40))
    assert queue.length() == 0


@pytest.mark.usefixtures("db")
def test_malformed_and_deleted_files_hold_up_nobody(upload: Upload, queue: RedisQueue) -> None:
    queue.append(b"what?", 0)
    upload().delete()
    file = upload()

    assert [worker.process_next() for _ in range(4)] == [True, True, True, False]

    assert queue.length() == 0
    assert outcome(file)[0] == Status.PROCESSED
    (letter,) = queue.dead_letters()
    assert (letter.body, letter.reason) == (b"what?", "not JSON: JSONDecodeError")


def test_a_bad_file_fails_at_once_with_its_reason(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox, media: Path
) -> None:
    sandbox.fails(Unprocessable("The picture is broken."))
    file = upload()

    worker.process_next()

    assert outcome(file) == (Status.FAILED, 1, "The picture is broken.")
    assert not file.processed
    assert (queue.length(), queue.dead_letters()) == (0, [])
    assert stored(media) == {str(file.file)}


def test_a_file_that_is_not_stored_fails(upload: Upload, sandbox: FakeSandbox) -> None:
    file = upload()
    file.file.storage.delete(str(file.file))

    worker.process_next()

    assert outcome(file) == (Status.FAILED, 1, "The stored file is missing.")
    assert not sandbox.processed


WAITS = "The storage is unavailable. The file waits for it."


def test_a_storage_that_is_away_uses_up_no_attempts(
    upload: Upload, media: Path, sandbox: FakeSandbox, settings: Settings
) -> None:
    settings.UPLOADS_ATTEMPTS = 1
    sandbox.process = lambda path: Result({"text": path.read_text()})
    file = upload()
    media.rename(media.with_name("unmounted"))
    for outages in (1, 2, 3):
        worker.process_next()
        assert outcome(file) == (Status.RECEIVED, 0, WAITS)
        assert file.outages == outages
        make_due(file)

    media.with_name("unmounted").rename(media)
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")


def test_a_storage_without_room_for_thumbnails_uses_up_no_attempts(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.UPLOADS_ATTEMPTS = 1
    file = upload()

    def full(*arguments: Any, **options: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "_save", full)
        worker.process_next()
    assert outcome(file) == (Status.RECEIVED, 0, WAITS)
    make_due(file)
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert read(file.thumbnail) == b"thumbnail"


def test_a_storage_that_goes_away_amid_the_processing_uses_up_no_attempts(
    upload: Upload, sandbox: FakeSandbox, media: Path
) -> None:
    file = upload()

    def process(path: Path) -> Result:
        media.rename(media.with_name("unmounted"))
        raise Interrupted("OSError: Stale file handle")

    sandbox.process = process
    worker.process_next()

    assert outcome(file) == (Status.RECEIVED, 0, WAITS)


def test_a_database_that_is_away_at_the_end_costs_no_second_attempt(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = upload()
    succeed = claims.succeed
    failures = iter([OperationalError("the database system is starting up")])

    def away_first(*arguments: Any) -> bool:
        if failure := next(failures, None):
            raise failure
        return succeed(*arguments)

    monkeypatch.setattr(claims, "succeed", away_first)
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")


def test_a_machine_that_starts_no_process_uses_up_no_attempts(
    upload: Upload, sandbox: FakeSandbox
) -> None:
    sandbox.fails(BlockingIOError("fork: Resource temporarily unavailable"))
    file = upload()

    worker.process_next()

    assert outcome(file) == (Status.RECEIVED, 0, WAITS)


def test_after_the_last_attempt_it_is_failed_and_a_dead_letter(
    upload: Upload,
    queue: RedisQueue,
    sandbox: FakeSandbox,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.UPLOADS_ATTEMPTS = 3
    sandbox.fails(Interrupted("the child has ended with -9"))
    file = upload()

    monkeypatch.setattr("random.random", lambda: 1.0)
    for attempt in (1, 2):
        assert worker.process_next()
        assert outcome(file) == (Status.RECEIVED, attempt, "")
        assert queue.length() == 0
        assert not worker.process_next()  # it backs off
        make_due(file)
    assert worker.process_next()

    status, attempts, error = outcome(file)
    assert (status, attempts) == (Status.FAILED, 3)
    assert error.startswith("Processing failed after 3 attempts.")
    (letter,) = dead_letters.of_files(10)
    assert letter["file"] == file
    assert letter["reason"] == "Interrupted: the child has ended with -9"
    assert queue.length() == 0


def test_a_second_event_does_not_cut_the_wait_short(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    sandbox.fails(Interrupted("killed"))
    file = upload()
    queue.append(encode(file.pk), 0)

    worker.process_next()
    worker.process_next()

    assert outcome(file) == (Status.RECEIVED, 1, "")
    assert queue.length() == 0


def test_poisoned_files_hold_up_nobody(
    upload: Upload, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come back later, and fewer of them each time."""
    monkeypatch.setattr("random.random", lambda: 1.0)
    monkeypatch.setattr(claims, "FIRST_RETRY", claims.LONGEST_RETRY)

    def process(path: Path) -> Result:
        if path.read_bytes() == b"poison":
            raise Interrupted("killed")
        return Result()

    sandbox.process = process
    poisoned = [upload(b"poison") for _ in range(15)]
    fine = upload(b"fine")
    late = upload(b"late")

    while worker.process_next():
        pass

    assert {outcome(file) for file in poisoned} == {(Status.RECEIVED, 1, "")}
    assert outcome(fine) == outcome(late) == (Status.PROCESSED, 1, "")


class Elsewhere(FileSystemStorage):
    """A storage that is not on this machine."""

    def path(self, name: str) -> str:
        raise NotImplementedError

    def _open(self, name: str, mode: str = "rb") -> Any:
        from django.core.files import File as Opened

        return Opened(Path(super().path(name)).open(mode))


def test_a_file_of_a_storage_elsewhere_is_copied_for_a_while(
    upload: Upload, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, missing = upload(b"far away"), upload()
    field = File._meta.get_field("file")
    missing.file.storage.delete(str(missing.file))
    monkeypatch.setattr(field, "storage", Elsewhere())
    paths = []

    def process(path: Path) -> Result:
        paths.append(path)
        return Result({"text": path.read_text()})

    sandbox.process = process
    worker.process_next()
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert file.metadata == {"text": "far away"}
    assert outcome(missing) == (Status.FAILED, 1, "The stored file is missing.")
    assert len(paths) == 1
    assert not paths[0].exists()

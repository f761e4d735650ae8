"""Who works on a file: what a dead worker left, and a worker that was thought dead."""

import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.utils import timezone
from pytest_django import Settings

from loadtest.common.waiting import wait_until
from tests.support.files import MakeFile, Upload
from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import make_due, outcome, read, stored
from uploads.models import File, Status
from uploads.processing import claims, heartbeat, turns, worker
from uploads.processing.abandoned import Watch, release_abandoned
from uploads.processing.sandbox import Interrupted
from uploads.processors.base import Result, Unprocessable
from uploads.queue.redis_queue import RedisQueue

pytestmark = pytest.mark.usefixtures("sandbox")

YEAR = timedelta(days=365)


def die_at_work() -> None:
    """Claim a file as a worker does that dies then."""
    assert turns.claim_next()


def test_what_a_dead_worker_left_counts_as_an_attempt_and_is_tried_again(
    upload: Upload, settings: Settings
) -> None:
    file = upload()
    settings.UPLOADS_LEASE_SECONDS = 60
    die_at_work()
    assert release_abandoned() == 0

    settings.UPLOADS_LEASE_SECONDS = 0
    assert release_abandoned() == 1
    assert outcome(file) == (Status.RECEIVED, 1, "")
    make_due(file)
    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 2, "")


def test_times_by_the_database_are_the_times_of_the_service(upload: Upload) -> None:
    """The tests' MariaDB is in another time zone."""
    file = upload()

    assert worker.process_next()

    file.refresh_from_db()
    assert file.processed_at
    assert abs(file.processed_at - timezone.now()) < timedelta(minutes=10)


def test_a_file_that_kills_its_worker_each_time_ends(upload: Upload, settings: Settings) -> None:
    settings.UPLOADS_ATTEMPTS = 2
    settings.UPLOADS_LEASE_SECONDS = 0
    file = upload()

    die_at_work()
    assert release_abandoned() == 1
    make_due(file)
    die_at_work()
    assert release_abandoned() == 1

    assert outcome(file)[:2] == (Status.FAILED, 2)
    assert file.dead_reason == "the worker died, or was killed"
    assert release_abandoned() == 0


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_a_heartbeat_of_a_wrong_clock_is_abandoned_as_any_other(
    ahead: timedelta, upload: Upload, settings: Settings
) -> None:
    settings.UPLOADS_LEASE_SECONDS = 10
    file = upload()
    die_at_work()
    File.objects.update(claimed_at=timezone.now() + ahead)
    now = [0.0]
    watch = Watch(lambda: now[0])

    silent: list[claims.Beat] = []
    for now[0] in (0, 4, 8, 11):
        assert not silent
        silent = watch.look(claims.in_process(), 10)

    assert claims.release(silent) == 1
    assert outcome(file) == (Status.RECEIVED, 1, "")


def test_a_heartbeat_that_changes_is_never_abandoned(upload: Upload) -> None:
    file = upload()
    die_at_work()
    now = [0.0]
    watch = Watch(lambda: now[0])
    at = timezone.now()

    for now[0] in range(0, 1000, 9):
        at -= timedelta(days=1)  # its clock goes backwards
        File.objects.filter(pk=file.pk).update(claimed_at=at)
        assert not watch.look(claims.in_process(), 10)


def test_an_observer_that_was_stopped_does_not_take_its_pause_for_theirs(upload: Upload) -> None:
    upload()
    die_at_work()
    now = [0.0]
    watch = Watch(lambda: now[0])

    watch.look(claims.in_process(), 10)
    now[0] = 1000
    assert not watch.look(claims.in_process(), 10)
    now[0] = 2000
    assert watch.look(claims.in_process(), 10)


def test_a_heartbeat_between_look_and_release_keeps_the_claim(upload: Upload) -> None:
    file = upload()
    die_at_work()
    seen = claims.in_process()
    File.objects.update(claimed_at=timezone.now() + timedelta(seconds=1))

    assert claims.release(seen) == 0
    assert outcome(file)[0] == Status.PROCESSING


def test_abandoned_files_are_due_again_by_one_statement(
    make_file: MakeFile, django_assert_num_queries: object
) -> None:
    body = make_file(status=Status.PROCESSED)
    File.objects.bulk_create(
        File(
            name="a",
            size=1,
            file=str(body.file),
            status=Status.PROCESSING,
            claim=uuid.uuid4(),
            claimed_at=timezone.now(),
            attempts=1,
        )
        for _ in range(200)
    )

    silent = claims.in_process()
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert claims.release(silent) == 200


def test_times_that_are_absurd_put_nothing_off(make_file: MakeFile) -> None:
    """They were written while a clock was a year ahead, or by a web server whose clock is."""
    ahead = [make_file(due_at=timezone.now() + YEAR), make_file(uploaded_at=timezone.now() + YEAR)]
    soon = make_file(due_at=timezone.now() + timedelta(minutes=2))

    while worker.process_next():
        pass

    assert {outcome(file) for file in ahead} == {(Status.PROCESSED, 1, "")}
    assert outcome(soon) == (Status.RECEIVED, 0, "")


def test_a_worker_that_lost_its_claim_changes_nothing(
    upload: Upload, sandbox: FakeSandbox, media: Path
) -> None:
    """It was stopped, and comes back with a result when another worker has one."""
    file = upload()

    def slow(path: Path) -> Result:
        assert claims.release(claims.in_process()) == 1
        make_due(file)
        sandbox.process = lambda path: Result({"by": "the second"}, b"second")
        assert worker.process_next()
        return Result({"by": "the first"}, b"first")

    sandbox.process = slow
    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 2, "")
    assert file.metadata == {"by": "the second"}
    assert read(file.thumbnail) == b"second"
    assert stored(media) == {str(file.file), str(file.thumbnail)}


@pytest.mark.parametrize(
    "error", [Unprocessable("It is broken."), Interrupted("killed"), OSError("disk")]
)
def test_a_worker_that_lost_its_claim_fails_nothing(
    error: Exception, upload: Upload, sandbox: FakeSandbox, settings: Settings
) -> None:
    settings.UPLOADS_ATTEMPTS = 1
    file = upload()

    def slow(path: Path) -> Result:
        File.objects.update(status=Status.PROCESSED, claim=uuid.uuid4())
        raise error

    sandbox.process = slow
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")


def test_a_file_that_is_deleted_meanwhile_leaves_nothing(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox, media: Path
) -> None:
    file = upload()

    def process(path: Path) -> Result:
        file.delete()
        path.unlink()
        return Result({}, b"thumbnail")

    sandbox.process = process
    worker.process_next()

    assert not File.objects.exists()
    assert stored(media) == set()
    assert queue.length() == 0


@pytest.mark.django_db(transaction=True)
def test_the_claim_is_kept_alive_while_the_file_is_worked_on(
    upload: Upload, sandbox: FakeSandbox, settings: Settings
) -> None:
    settings.UPLOADS_LEASE_SECONDS = 0.5
    file = upload()

    def process(path: Path) -> Result:
        seen = {File.objects.get().claimed_at}
        for _ in range(3):
            wait_until(lambda: File.objects.get().claimed_at not in seen)
            seen.add(File.objects.get().claimed_at)
            assert release_abandoned() == 0
        return Result()

    sandbox.process = process
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert not [one for one in threading.enumerate() if one.name.startswith("heartbeat-")]


def test_a_beat_ends_with_the_claim_and_not_with_the_database(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = upload()
    claimed = turns.claim_next()
    assert claimed
    assert heartbeat.beat(claimed)

    File.objects.filter(pk=file.pk).update(claim=uuid.uuid4())
    assert not heartbeat.beat(claimed)

    def away(file: File) -> bool:
        raise DatabaseError

    monkeypatch.setattr(claims, "refresh", away)
    assert heartbeat.beat(claimed)


def test_redis_that_is_away_keeps_no_file_waiting(
    make_file: MakeFile, settings: Settings, queue: RedisQueue
) -> None:
    file = make_file()
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")

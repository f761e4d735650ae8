"""Who works on a file: what a dead worker left, and a worker that was thought dead."""

import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from loadtest.common.waiting import wait_until
from tests.support.files import Upload
from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import age, make_due, outcome, read, stored
from uploads.models import File, Status
from uploads.processing import claims, heartbeat, worker
from uploads.processing.sandbox import Interrupted
from uploads.processors.base import Result, Unprocessable
from uploads.queue.redis_queue import RedisQueue

pytestmark = pytest.mark.usefixtures("sandbox")


def die_at_work(queue: RedisQueue) -> None:
    """Take and claim a file as a worker does that dies then."""
    delivery = queue.read("dead")
    assert delivery
    assert worker.claim_file(queue, delivery)


def test_what_a_dead_worker_left_counts_as_an_attempt_and_is_tried_again(
    upload: Upload, queue: RedisQueue, settings: Settings
) -> None:
    file = upload()
    settings.UPLOADS_LEASE_SECONDS = 60
    die_at_work(queue)
    assert not worker.process_next()

    settings.UPLOADS_LEASE_SECONDS = 0
    assert worker.process_next()
    assert outcome(file) == (Status.RECEIVED, 1, "")
    assert queue.length() == 0
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


def test_a_file_that_kills_its_worker_each_time_ends(
    upload: Upload, queue: RedisQueue, settings: Settings
) -> None:
    settings.UPLOADS_ATTEMPTS = 2
    settings.UPLOADS_LEASE_SECONDS = 0
    file = upload()

    die_at_work(queue)
    worker.process_next()
    make_due(file)
    die_at_work(queue)
    worker.process_next()

    assert outcome(file)[:2] == (Status.FAILED, 2)
    assert queue.dead_letters()[0].reason == "the worker died, or was killed"
    assert not worker.process_next()


def test_what_is_taken_over_from_a_worker_that_lives_is_left_to_it(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox
) -> None:
    """Redis was away, so that it could not be kept there: its row tells."""
    file = upload()

    def process(path: Path) -> Result:
        assert queue.claim("another", 0)
        delivery = queue.claim("another", 0)
        assert delivery
        assert worker.claim_file(queue, delivery) is None
        assert queue.length() == 1
        return Result({"by": "the first"})

    sandbox.process = process
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert queue.length() == 0


def test_a_worker_that_lost_its_claim_changes_nothing(
    upload: Upload, sandbox: FakeSandbox, media: Path
) -> None:
    """It was stopped, and comes back with a result when another worker has one."""
    file = upload()

    def slow(path: Path) -> Result:
        age(file)
        assert claims.retry_later(File.objects.get(pk=file.pk))
        make_due(file)
        sandbox.process = lambda path: Result({"by": "the second"}, b"second")
        assert worker.process_next("another")
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
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox, settings: Settings
) -> None:
    settings.UPLOADS_LEASE_SECONDS = 0.5
    file = upload()

    def process(path: Path) -> Result:
        seen = {File.objects.get().claimed_at}
        for _ in range(3):
            wait_until(lambda: File.objects.get().claimed_at not in seen)
            seen.add(File.objects.get().claimed_at)
            assert queue.claim("another", 0.4) is None
        return Result()

    sandbox.process = process
    worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert not [one for one in threading.enumerate() if one.name.startswith("heartbeat-")]


def test_a_beat_ends_with_the_claim_and_not_with_redis(
    upload: Upload, queue: RedisQueue, settings: Settings
) -> None:
    file = upload()
    delivery = queue.read("a")
    assert delivery
    claimed = worker.claim_file(queue, delivery)
    assert claimed
    assert heartbeat.beat(queue, delivery, "a", claimed)

    away = RedisQueue("redis://127.0.0.1:1", name="uploads")
    assert heartbeat.beat(away, delivery, "a", claimed)

    File.objects.filter(pk=file.pk).update(claim=uuid.uuid4())
    assert not heartbeat.beat(queue, delivery, "a", claimed)


def test_redis_that_is_away_at_the_end_costs_no_second_attempt(
    upload: Upload, queue: RedisQueue, sandbox: FakeSandbox, settings: Settings
) -> None:
    file = upload()
    delivery = queue.read("a")
    assert delivery
    away = RedisQueue("redis://127.0.0.1:1", name="uploads")
    claimed = worker.claim_file(queue, delivery)
    assert claimed
    worker.finish(claimed, worker.Success({}, ""))
    worker.remove_entry(away, delivery, "")
    assert queue.length() == 1

    settings.UPLOADS_LEASE_SECONDS = 0
    assert worker.process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    assert queue.length() == 0
    assert not sandbox.processed

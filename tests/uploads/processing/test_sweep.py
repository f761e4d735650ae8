"""What Redis has lost is found again, and what waits is left alone."""

from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.utils import timezone
from pytest_django import Settings

from footfall.eventlog import LogError
from tests.support.files import MakeFile
from tests.uploads.fake_sandbox import FakeSandbox
from uploads.models import File, Status
from uploads.processing import sweep, worker
from uploads.processing.sweep import requeue_lost, retry_abandoned
from uploads.processors.base import Result
from uploads.queue import get_queue
from uploads.queue.outbox import publish, publish_due
from uploads.queue.redis_queue import RedisQueue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def make_waiting(make_file: MakeFile, number: int) -> list[File]:
    files = [make_file(str(n).encode()) for n in range(number)]
    for file in files:
        publish(file)
    return files


def age_claims() -> None:
    File.objects.filter(status=Status.PROCESSING).update(
        claimed_at=timezone.now() - timedelta(hours=1)
    )


def drain() -> None:
    while worker.process_next():
        pass


def attempts() -> set[tuple[str, int]]:
    return set(File.objects.values_list("status", "attempts"))


def test_a_thousand_slow_files_in_the_queue_are_tried_once_each(
    make_file: MakeFile, queue: RedisQueue, sandbox: FakeSandbox, settings: Settings
) -> None:
    """While each is worked on, sweeps and workers look for what was lost or left."""
    settings.UPLOADS_LEASE_SECONDS = 60
    body = make_file(b"slow")
    waiting = [
        File(name="slow", size=4, file=str(body.file), status=Status.RECEIVED) for _ in range(999)
    ]
    for file in (body, *File.objects.bulk_create(waiting)):
        publish(file)
    File.objects.update(uploaded_at=timezone.now() - timedelta(days=1))

    def process(path: Path) -> Result:
        assert requeue_lost() == retry_abandoned() == publish_due() == 0
        assert queue.claim("another", settings.UPLOADS_LEASE_SECONDS) is None
        return Result()

    sandbox.process = process
    for _ in range(20):
        assert worker.process_next()
    sandbox.process = lambda path: Result()
    for _ in range(100):
        assert worker.process_next()

    assert attempts() == {(Status.PROCESSED, 1), (Status.RECEIVED, 0)}
    assert File.objects.filter(status=Status.PROCESSED).count() == 120
    assert queue.length() == 880


def test_files_are_processed_that_waited_when_redis_was_emptied(
    make_file: MakeFile, queue: RedisQueue, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 2)
    make_waiting(make_file, 5)
    server.delete(queue.key)

    assert requeue_lost() == 5
    assert requeue_lost() == 0
    assert publish_due() == 5
    drain()

    assert attempts() == {(Status.PROCESSED, 1)}


def test_only_the_entries_that_redis_lost_are_published_again(
    make_file: MakeFile, queue: RedisQueue, server: redis.Redis
) -> None:
    files = make_waiting(make_file, 3)
    taken = queue.read("a")
    server.xdel(queue.key, File.objects.get(pk=files[2].pk).entry_id)
    File.objects.create(name="by hand", size=0, file=str(files[0].file), due_at=None)

    assert requeue_lost() == 2
    assert publish_due() == 2

    assert taken
    assert queue.length() == 4


def test_what_is_done_while_the_sweep_looks_is_left_alone(
    make_file: MakeFile, queue: RedisQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_waiting(make_file, 1)
    present = queue.existing

    def slowly(ids: list[str]) -> set[str]:
        drain()
        return present(ids)

    monkeypatch.setattr(queue, "existing", slowly)

    assert requeue_lost() == 0
    assert attempts() == {(Status.PROCESSED, 1)}


def test_a_dead_workers_file_is_tried_again_though_redis_was_emptied(
    make_file: MakeFile, queue: RedisQueue, server: redis.Redis, settings: Settings
) -> None:
    make_waiting(make_file, 2)
    for _ in range(2):
        delivery = queue.read("dead")
        assert delivery
        assert worker.claim_file(queue, delivery)
    assert retry_abandoned() == 0
    age_claims()
    assert retry_abandoned() == 0  # their entries are there: a worker takes them over
    server.delete(queue.key)

    assert retry_abandoned() == 2
    assert attempts() == {(Status.RECEIVED, 1)}
    File.objects.update(due_at=timezone.now())
    publish_due()
    drain()

    assert attempts() == {(Status.PROCESSED, 2)}


def test_and_given_up_after_its_last_attempt(
    make_file: MakeFile, queue: RedisQueue, server: redis.Redis, settings: Settings
) -> None:
    settings.UPLOADS_ATTEMPTS = 1
    (file,) = make_waiting(make_file, 1)
    delivery = queue.read("dead")
    assert delivery
    worker.claim_file(queue, delivery)
    age_claims()
    server.delete(queue.key)

    assert retry_abandoned() == 1

    file.refresh_from_db()
    assert file.status == Status.FAILED
    assert file.error
    (letter,) = queue.dead_letters()
    assert (letter.body, letter.reason) == (delivery.body, "the worker died, or was killed")


def test_a_sweep_comes_every_few_seconds(
    make_file: MakeFile, queue: RedisQueue, server: redis.Redis, settings: Settings
) -> None:
    make_waiting(make_file, 1)
    sweep.sweep()
    server.delete(queue.key)

    sweep.sweep()
    assert not File.objects.filter(due_at__isnull=False).exists()
    sweep._last_sweep -= sweep.INTERVAL + 1
    with sweep._sweeping:
        sweep.sweep()
    assert not File.objects.filter(due_at__isnull=False).exists()

    sweep.sweep()
    assert File.objects.filter(due_at__isnull=False).exists()


def test_while_redis_is_away_nothing_is_taken_for_lost(
    make_file: MakeFile, settings: Settings
) -> None:
    make_waiting(make_file, 1)
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    with pytest.raises(LogError):
        requeue_lost()

    assert get_queue().key
    assert not File.objects.filter(due_at__isnull=False).exists()

"""What wakes the processing: the schedule, the task, and the thread that misses them."""

import threading
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from footfall.common import wakeup as common
from loadtest.common.waiting import wait_until
from project.celery import app
from tests.support.files import MakeFile
from tests.support.schedule import scheduled
from tests.uploads.fake_sandbox import FakeSandbox
from uploads import tasks
from uploads.models import File, Status
from uploads.processing import claims, wakeup
from uploads.queue import outbox
from uploads.queue.outbox import publish
from uploads.queue.redis_queue import RedisQueue


def statuses() -> set[str]:
    return set(File.objects.values_list("status", flat=True))


@pytest.mark.django_db
def test_a_tick_releases_what_was_abandoned_and_processes_all(
    make_file: MakeFile,
    sandbox: FakeSandbox,
    queue: RedisQueue,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.UPLOADS_LEASE_SECONDS = 0
    monkeypatch.setattr(claims, "FIRST_RETRY", claims.LONGEST_RETRY)  # not due in the first tick
    publish(make_file(b"published"))
    make_file(b"due", due_at=timezone.now())
    dead = make_file(b"abandoned", status=Status.PROCESSING, claimed_at=timezone.now())

    tasks.process()

    dead.refresh_from_db()
    assert dead.status == Status.RECEIVED
    File.objects.update(due_at=None)
    settings.UPLOADS_LEASE_SECONDS = 15  # so no heartbeat waits for the rows of this transaction
    tasks.process()
    assert statuses() == {Status.PROCESSED}
    assert sandbox.processed == [b"published", b"due", b"abandoned"]
    assert not wakeup._awake


@pytest.mark.django_db
def test_after_a_slice_the_next_tick_gets_its_turn(
    make_file: MakeFile, sandbox: FakeSandbox, queue: RedisQueue
) -> None:
    for _ in range(3):
        publish(make_file())

    assert wakeup.drain(0) == 1
    assert wakeup.drain(60) == 2
    assert wakeup.drain(60) == 0


@pytest.mark.django_db
def test_a_worker_that_stops_takes_no_other_file(
    make_file: MakeFile, sandbox: FakeSandbox, queue: RedisQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "_stopping", threading.Event())
    publish(make_file())

    wakeup.stop()
    tasks.process()

    assert queue.length() == 1
    assert not sandbox.processed


@pytest.mark.django_db
def test_an_error_is_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("server closed the connection\n")

    monkeypatch.setattr(wakeup, "release_abandoned", away)

    tasks.process()

    (line,) = (one.getMessage() for one in caplog.records if one.levelname == "ERROR")
    assert line == "the processing failed: OperationalError: server closed the connection"
    assert not wakeup._awake


@pytest.mark.django_db(transaction=True)
def test_without_ticks_the_processing_wakes_itself(
    make_file: MakeFile, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "TICK_TIMEOUT", 0.1)
    monkeypatch.setattr(common, "INTERVAL", 0.02)
    publish(make_file())
    step = wakeup.UploadsWakeup(None)

    step.start(None)
    wait_until(lambda: statuses() == {Status.PROCESSED})
    step.stop(None)

    assert not [one for one in threading.enumerate() if one.name == "uploads-wakeup"]


@pytest.mark.django_db
def test_it_does_not_while_every_thread_is_at_work(
    make_file: MakeFile, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(make_file())
    step = wakeup.UploadsWakeup(SimpleNamespace(concurrency=2))

    monkeypatch.setattr(wakeup, "_awake", {1, 2})
    step.wake()
    assert not sandbox.processed
    monkeypatch.setattr(wakeup, "_awake", {1})
    step.wake()
    assert sandbox.processed


@pytest.mark.parametrize(("queues", "included"), [(["uploads"], True), (["counters"], False)])
def test_only_a_worker_of_the_uploads_wakes_itself(queues: list[str], included: bool) -> None:
    worker = SimpleNamespace(
        app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=queues)))
    )

    assert wakeup.UploadsWakeup(None).include_if(worker) is included
    assert "uploads.processing.wakeup:UploadsWakeup" in app.steps["worker"]


@pytest.mark.django_db
def test_the_schedule() -> None:
    process = scheduled(outbox.TASK)
    assert (process.queue, process.expire_seconds) == (outbox.QUEUE, None)
    assert str(process.interval) == "every second"
    compare = scheduled("uploads.compare")
    assert (str(compare.interval), compare.queue) == ("every hour", None)

"""Which workers answer: a real one comes, stops and comes back."""

import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from celery import Celery
from django.conf import settings

from footfall.ops.workers import REFRESH_AFTER, WorkerInspector, Workers
from footfall.worker import QUEUE
from project.celery import app
from tests.support import processes


def wait_for(inspector: WorkerInspector, expected: Callable[[Workers], bool]) -> float:
    """Return after how many seconds the answer is as expected."""
    began = time.monotonic()
    while not expected(inspector.workers()):
        assert time.monotonic() - began < 30, inspector.workers()
        time.sleep(0.1)
    return time.monotonic() - began


def work() -> None:
    app.worker_main(
        ["worker", "--queues", QUEUE, "--pool", "solo", "--hostname", "flusher@%h",
         "--loglevel", "ERROR"]
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_stops_is_missed_within_seconds(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.ops.workers.REPLY_TIMEOUT", 0.5)
    monkeypatch.setattr("footfall.ops.workers.REFRESH_AFTER", 0.2)
    inspector = WorkerInspector()
    assert not inspector.workers().serve(QUEUE)

    for _ in range(2):  # there, gone, and back
        worker = processes.start(environment, work)
        try:
            wait_for(inspector, lambda workers: workers.serve(QUEUE))
        finally:
            worker.kill()
            worker.join()
        assert wait_for(inspector, lambda workers: not workers.serve(QUEUE)) < 5


def test_an_answer_is_kept_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Celery] = []

    def inspect(app: Celery, callback: Callable[[dict[str, Any]], None]) -> None:
        asked.append(app)
        callback({"a": [{"name": QUEUE}]})

    monkeypatch.setattr("footfall.ops.workers._inspect", inspect)
    inspector = WorkerInspector()

    for _ in range(5):
        assert inspector.workers().serve(QUEUE)

    assert len(asked) == 1
    assert asked[0].main == app.main
    assert REFRESH_AFTER > 1


def test_a_broker_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    away = type(app)(broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr("footfall.ops.workers.current_app", lambda: away)
    inspector = WorkerInspector()
    began = time.monotonic()

    found = inspector.workers(timeout=0.2)

    assert time.monotonic() - began < 3
    assert found.error
    assert away.conf.broker_url != settings.CELERY_BROKER_URL


def test_only_the_worker_of_the_queue_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Event()

    def inspect(app: Celery, callback: Callable[[dict[str, Any]], None]) -> None:
        callback({"a": [{"name": QUEUE}]})
        end.wait()

    monkeypatch.setattr("footfall.ops.workers._inspect", inspect)
    inspector = WorkerInspector()
    began = time.monotonic()

    assert inspector.workers(serving=QUEUE, timeout=30).serve(QUEUE)
    assert time.monotonic() - began < 15
    assert inspector.workers(timeout=0.0).error
    end.set()
    assert inspector.workers().serve(QUEUE)

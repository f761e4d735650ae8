"""Which workers answer: a real one comes, stops and comes back."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from celery import Celery
from django.conf import settings

from footfall.ops.workers import FRESH, Asking, Workers
from footfall.worker import QUEUE
from project.celery import app


def wait_for(asking: Asking, expected: Callable[[Workers], bool]) -> float:
    """Return after how many seconds the answer is as expected."""
    began = time.monotonic()
    while not expected(asking.answer()):
        assert time.monotonic() - began < 30, asking.answer()
        time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_stops_is_missed_within_seconds(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.ops.workers.WAIT", 0.5)
    monkeypatch.setattr("footfall.ops.workers.FRESH", 0.2)
    asking = Asking()
    command = [
        sys.executable, "-m", "celery", "--app", "project", "worker", "--queues", QUEUE,
        "--pool", "solo", "--hostname", "flusher@%h", "--loglevel", "ERROR",
    ]  # fmt: skip
    assert not asking.answer().serve(QUEUE)

    for _ in range(2):  # there, gone, and back
        worker = subprocess.Popen(command, env=environment)
        try:
            wait_for(asking, lambda workers: workers.serve(QUEUE))
        finally:
            worker.kill()
            worker.wait()
        assert wait_for(asking, lambda workers: not workers.serve(QUEUE)) < 5


def test_an_answer_is_kept_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Celery] = []

    def inspect(app: Celery) -> Workers:
        asked.append(app)
        return Workers({"a": [QUEUE]})

    monkeypatch.setattr("counters.workers._inspect", inspect)
    asking = Asking()

    for _ in range(5):
        assert asking.answer().serve(QUEUE)

    assert len(asked) == 1
    assert asked[0].main == app.main
    assert FRESH > 1


def test_a_broker_that_is_away_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    away = type(app)(broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr("footfall.ops.workers.app_or_default", lambda: away)
    asking = Asking()
    began = time.monotonic()

    found = asking.answer(patience=0.2)

    assert time.monotonic() - began < 1
    assert found.error
    assert away.conf.broker_url != settings.CELERY_BROKER_URL

"""Sending tasks while the broker is there, away, or silent."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from footfall.common import celery
from footfall.common.breaker import CircuitBreaker
from footfall.common.celery import enqueue, enqueue_in_background
from loadtest.common.waiting import wait_until


class FakeTask:
    """Notes what is sent, after what the test says has happened."""

    name = "tests.task"

    def __init__(self, happens: Callable[[], object] = lambda: None) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.happens = happens

    def apply_async(self, arguments: tuple[Any, ...], **options: Any) -> None:
        self.sent.append((arguments, options))
        self.happens()


def fail() -> None:
    raise OperationalError("away")


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "_breaker", CircuitBreaker(reset_after=60))


def test_a_task_is_sent_with_its_arguments_and_options() -> None:
    task = FakeTask()

    assert enqueue(task, 1, "two", queue="there")

    assert task.sent == [((1, "two"), {"retry": False, "queue": "there"})]


def test_a_broker_that_is_away_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    assert not enqueue(FakeTask(fail), "secret")

    assert caplog.messages == ["the task tests.task was not sent: away"]


@pytest.mark.parametrize("away", [False, True])
def test_in_the_background_a_broker_that_is_away_is_asked_once(away: bool) -> None:
    task = FakeTask(fail) if away else FakeTask()
    for _ in range(2):
        enqueue_in_background(task)
        wait_until(lambda: not celery._sending)

    assert len(task.sent) == (1 if away else 2)


def test_nobody_waits_for_a_broker_that_does_not_answer() -> None:
    answers = threading.Event()
    task = FakeTask(lambda: answers.wait(10))
    for number in (1, 1, 1, 2, 3, 4, 5):
        enqueue_in_background(task, number)
    assert celery._sending

    answers.set()
    wait_until(lambda: not celery._sending)
    assert sorted(arguments for arguments, _options in task.sent) == [(1,), (2,), (3,), (4,)]

"""Celery beat as a thread of a worker."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from loadtest.common.waiting import wait_until
from project import beat_thread
from project.beat_thread import BeatThread
from project.celery import app

WORKER = SimpleNamespace(app=app)


class FakeService:
    """Fails once, and then runs until it is stopped."""

    started: list["FakeService"]

    def __init__(self, app: object, scheduler_cls: str) -> None:
        assert scheduler_cls == app.conf.beat_scheduler  # type: ignore[attr-defined]
        self.stopped = threading.Event()

    def start(self) -> None:
        self.started.append(self)
        if len(self.started) == 1:
            raise ConnectionError("the database is away")
        self.stopped.wait()

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def beat(monkeypatch: pytest.MonkeyPatch) -> Iterator[BeatThread]:
    monkeypatch.setattr(FakeService, "started", [], raising=False)
    monkeypatch.setattr(beat_thread, "Service", FakeService)
    monkeypatch.setattr(beat_thread, "PAUSE", 0.01)
    step = BeatThread(WORKER, with_beat=True)
    step.start(WORKER)
    yield step
    step.stop(WORKER)


def test_beat_is_started_again_after_an_error_and_ends_with_its_worker(beat: BeatThread) -> None:
    wait_until(lambda: len(FakeService.started) == 2)

    beat.stop(WORKER)

    wait_until(lambda: not beat._thread.is_alive())
    assert len(FakeService.started) == 2


def test_only_a_worker_that_is_asked_to_has_a_beat() -> None:
    assert not BeatThread(WORKER).include_if(WORKER)
    assert BeatThread(WORKER, with_beat=True).include_if(WORKER)
    assert beat_thread.OPTION in app.user_options["worker"]
    assert BeatThread in app.steps["worker"]

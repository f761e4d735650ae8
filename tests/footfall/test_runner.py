"""`manage.py counters run`: what worker and beat do, in one process without Celery."""

import os
import signal
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from catalog.pages.models import Content, Page
from footfall import runner, tasks
from footfall.eventlog import RedisLog
from footfall.models import Audit, Ranking
from footfall.ops import readiness, workers
from footfall.ops.workers import WorkerInspector
from footfall.record import record
from footfall.runner import Upkeep, run_requested_audits
from footfall.schedule import BEAT_SCHEDULE
from loadtest.common.waiting import wait_until
from tests.support import processes
from tests.support.views import Counts


@pytest.fixture
def inspector(monkeypatch: pytest.MonkeyPatch) -> WorkerInspector:
    """An inspector that asks anew, and no Celery worker, whatever else runs here."""
    monkeypatch.setattr(workers, "_inspect", lambda app, callback: None)
    found = WorkerInspector()
    for module in (tasks, readiness, workers):
        monkeypatch.setattr(module, "inspector", found)
    return found


def test_every_task_of_the_schedule_is_done() -> None:
    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} == tasks.JOBS.keys()


def test_what_is_due_is_done_as_often_as_beat_would(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noted(name: str) -> Callable[[], object]:
        return lambda: done.append(name)

    for name in tasks.JOBS:
        monkeypatch.setitem(tasks.JOBS, name, noted(name))
    monkeypatch.setattr(runner, "run_requested_audits", lambda: None)
    monkeypatch.setattr(runner, "close_old_connections", lambda: None)  # of the test before
    upkeep = Upkeep()

    upkeep.run_due(100.0)
    assert sorted(done) == sorted(tasks.JOBS.keys() - {tasks.FLUSH})
    done.clear()
    upkeep.run_due(109.0)
    assert done == []
    upkeep.run_due(110.0)
    assert done == ["counters.rank"]
    upkeep.run_due(700.0)
    assert sorted(done[1:]) == ["counters.compact_store", "counters.rank"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_or_doubled_when_it_is_killed_and_it_stops_cleanly(
    environment: dict[str, str],
    log: RedisLog,
    page: Page,
    contents: list[Content],
    counts: Counts,
    inspector: WorkerInspector,
) -> None:
    killed = processes.start(environment, processes.manage, "counters", "run")
    try:
        record(page, contents)
        wait_until(lambda: counts() == [1, 1, 1], 60)
        assert inspector.workers().serve("counters")
        assert readiness.beat() == ""
        record(page, contents)
    finally:
        killed.kill()
        killed.join()
    record(page, contents)

    stopped = processes.start(environment, processes.manage, "counters", "run")
    try:
        wait_until(lambda: counts() == [3, 3, 3], 60)
        os.kill(stopped.pid or 0, signal.SIGTERM)
        stopped.join(60)
        assert stopped.exitcode == 0
    finally:
        stopped.kill()

    assert log.runner() == ""
    assert counts() == [3, 3, 3]


@pytest.mark.django_db(transaction=True)
def test_cron_does_everything_once(page: Page, contents: list[Content], counts: Counts) -> None:
    record(page, contents)
    out = StringIO()

    call_command("counters", "run", "--once", stdout=out)

    assert out.getvalue() == "1 events counted\n"
    assert counts() == [1, 1, 1]
    assert Ranking.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_cron_is_told_what_has_failed_and_the_rest_is_done(
    page: Page, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ValueError("no room")

    monkeypatch.setitem(tasks.JOBS, "counters.prune", fail)
    record(page, contents)

    with pytest.raises(CommandError, match=r"counters\.prune: ValueError: no room"):
        call_command("counters", "run", "--once", stdout=StringIO())

    assert counts() == [1, 1, 1]
    assert Ranking.objects.exists()


@pytest.mark.django_db
def test_it_carries_out_the_audits_that_were_requested(
    log: RedisLog, inspector: WorkerInspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> bool:
        raise AssertionError("sent to Celery")

    monkeypatch.setattr(tasks, "enqueue", refuse)
    user = get_user_model().objects.create_superuser("o", "o@example.com", "o")
    log.note_runner("a:1")

    assert tasks.request_audit(user.pk)
    run_requested_audits()

    audit = Audit.objects.get()
    assert audit.is_clean
    finished_at = audit.finished_at
    run_requested_audits()
    audit.refresh_from_db()
    assert audit.finished_at == finished_at


@pytest.mark.django_db
def test_without_it_and_without_celery_an_audit_is_refused(
    inspector: WorkerInspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "enqueue", lambda *arguments: False)
    user = get_user_model().objects.create_superuser("o", "o@example.com", "o")

    assert not tasks.request_audit(user.pk)

    assert not Audit.objects.exists()

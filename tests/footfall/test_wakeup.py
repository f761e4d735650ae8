"""What wakes the flush: the schedule, the task, and the thread that misses them."""

import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall import tasks, worker
from footfall.common import wakeup
from footfall.common.ticks import TickLimit
from footfall.eventlog import RedisLog
from footfall.flush import flush
from footfall.ingest import quiet
from footfall.models import Audit, Identity, Partition, ProducerState, Segment
from footfall.ops import retention
from footfall.projections.rows import KINDS
from footfall.projections.run import Projected
from footfall.record import record
from loadtest.common.waiting import wait_until
from project.celery import app
from tests.support.schedule import scheduled
from tests.support.views import AT, Counts, store_views


@pytest.fixture(autouse=True)
def every_tick_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker._ticks, "seconds", 0)


@pytest.mark.django_db(transaction=True)
def test_a_tick_stores_the_events_and_has_them_counted(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    record(page, contents)

    tasks.flush()

    assert Segment.objects.get().events == 1
    wait_until(lambda: counts() == [1, 1, 1], 10)


@pytest.mark.django_db(transaction=True)
def test_a_projection_that_waits_keeps_no_event_from_being_stored(
    page: Page, contents: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = threading.Event()
    monkeypatch.setattr(worker, "project", lambda **kinds: going_on.wait(10) and Projected())
    try:
        for number in range(1, 4):
            record(page, contents)
            tasks.flush()
            assert Segment.objects.count() == number
    finally:
        going_on.set()


def test_ticks_that_have_waited_together_are_through_in_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken: list[float] = []
    monkeypatch.setattr(worker, "wake", lambda: woken.append(worker.FlushWakeup.last_tick))
    monkeypatch.setattr(worker, "_ticks", TickLimit(0.2))

    for _ in range(10_000):
        tasks.flush()

    assert 1 <= len(woken) < 1000
    assert worker.FlushWakeup.last_tick >= woken[-1]


@pytest.mark.django_db
def test_a_tick_while_an_ingest_runs_returns_at_once(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "wake_projections", lambda is_quiet: None)
    record(page)
    with worker._ingesting:
        tasks.flush()

    assert not Segment.objects.exists()


@pytest.mark.django_db
def test_an_error_is_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ingest_for", None)
    monkeypatch.setattr(worker, "wake_projections", lambda is_quiet: None)

    tasks.flush()

    (line,) = caplog.messages
    assert line.startswith("the ingest failed: TypeError")
    assert not worker._ingesting.locked()


@pytest.mark.django_db(transaction=True)
def test_without_ticks_the_flush_wakes_itself(
    page: Page, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "TICK_TIMEOUT", 0.1)
    monkeypatch.setattr(wakeup, "INTERVAL", 0.02)
    record(page, contents)
    step = worker.FlushWakeup(None)

    step.start(None)
    end = time.monotonic() + 10
    while counts() != [1, 1, 1] and time.monotonic() < end:
        time.sleep(0.02)
    step.stop(None)

    assert counts() == [1, 1, 1]
    ours = ("flush-wakeup", *KINDS)
    assert not [thread for thread in threading.enumerate() if thread.name in ours]


@pytest.mark.parametrize(("queues", "included"), [(["counters"], True), (["celery"], False)])
def test_only_a_worker_of_the_flush_wakes_itself(queues: list[str], included: bool) -> None:
    starting = SimpleNamespace(
        app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=queues)))
    )

    assert worker.FlushWakeup(None).include_if(starting) is included
    assert "footfall.worker:FlushWakeup" in app.steps["worker"]


@pytest.mark.django_db
def test_the_schedule() -> None:
    flush = scheduled("counters.flush")
    assert (flush.queue, flush.expire_seconds) == ("counters", None)  # clocks would be compared
    assert str(flush.interval) == "every second"
    assert str(scheduled("counters.rank").interval) == "every 10 seconds"
    assert str(scheduled("counters.prune").interval) == "every hour"
    assert str(scheduled("counters.fold").interval) == "every day"


@pytest.mark.django_db
def test_old_producer_states_go() -> None:
    Identity.objects.update(epoch=10 * 24)
    for day in (6, 8):
        ProducerState.objects.create(
            producer_id=day,
            partition=0,
            sequence=1,
            updated_at=timezone.now(),
            epoch=(10 - day) * 24,
        )

    tasks.prune()

    assert ProducerState.objects.get().producer_id == 6
    assert timedelta(days=7) == retention.KEEP_PRODUCER_STATES


@pytest.mark.django_db
def test_a_producer_state_stays_as_long_as_its_events_are_in_the_log(
    log: RedisLog, contents: list[Content], counts: Counts, settings: Settings
) -> None:
    """A quiet partition keeps entries for months: nothing pushes them out."""
    store_views(log, *[(AT, [contents[0].pk])] * 3)
    flush()
    Identity.objects.update(epoch=100 * 24)

    tasks.prune()

    Partition.objects.update(
        position="", producer_id=None, sequence=None
    )  # as if its entry were lost
    flush()
    assert counts()[0] == 3
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    tasks.prune()
    assert ProducerState.objects.exists()


@pytest.mark.django_db
def test_queries_are_not_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "wake_projections", lambda is_quiet: None)
    settings.DEBUG = True
    tasks.flush()
    once = len(connection.queries)
    for _ in range(10):
        tasks.flush()

    # One of them, after a while, asks more.
    assert 0 < len(connection.queries) < 2 * once


@pytest.mark.django_db
def test_old_audits_go() -> None:
    Identity.objects.update(epoch=200 * 24)
    for day in (80, 100):
        Audit.objects.create(differences=day, epoch=(200 - day) * 24)

    tasks.prune()

    assert Audit.objects.get().differences == 80


@pytest.mark.django_db
def test_audits_that_no_prune_has_seen_stay() -> None:
    """Also those of the version before, whatever a clock said when they were requested."""
    Identity.objects.update(epoch=200 * 24)
    Audit.objects.create()
    Audit.objects.update(requested_at=timezone.now() - timedelta(days=1_000))

    tasks.prune()

    assert Audit.objects.get().epoch == 200 * 24


def test_a_worker_goes_on_while_it_is_not_known_whose_log_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when it starts while the database is away: an error would end the thread that wakes it."""
    away = Mock(side_effect=OperationalError("away"))
    monkeypatch.setattr(worker, "get_log", away)
    monkeypatch.setattr(quiet, "get_log", away)
    monkeypatch.setattr(worker, "ingest", Mock(side_effect=OperationalError("away")))
    woken = Mock()
    monkeypatch.setattr(worker, "wake_projections", woken)

    worker.wake()

    assert woken.called

"""/healthz, /readyz and `manage.py counters ready`."""

import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from footfall.models import Partition
from footfall.ops import readiness
from footfall.ops.facts import BEAT_TIMEOUT
from footfall.ops.lag import ProjectionStatus
from footfall.ops.status import LOG_TIMEOUT
from footfall.ops.workers import Workers, inspector
from tests.support import databases
from tests.support.proxy import Fault, Proxy


@pytest.fixture
def beat(db: None) -> PeriodicTask:
    """Beat's entry for the flush, last run just now."""
    PeriodicTask.objects.filter(task="counters.flush").delete()
    every = PeriodicTask._meta.get_field("interval").related_model
    return PeriodicTask.objects.create(
        name="flush",
        task="counters.flush",
        interval=every.objects.get_or_create(every=1, period="seconds")[0],
        last_run_at=timezone.now(),
    )


@pytest.mark.django_db
def test_healthy_while_pages_can_be_answered(client: Client) -> None:
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_unhealthy_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    databases.take_away(monkeypatch)

    answer = client.get("/healthz")
    ready = client.get("/readyz")

    monkeypatch.undo()
    connection.close()
    assert answer.status_code == 503
    assert answer.json()["database"] == "the database does not answer"
    assert ready.status_code == 503
    assert ready.json()["projections"] == "unknown: the database does not answer"
    assert "database" in ready.json()["detail"]


def test_not_ready_without_a_worker(client: Client, beat: PeriodicTask) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "detail": "missing: worker",
        "database": "ok",
        "log": "ok",
        "worker": "no worker serves the queue counters",
        "beat": "ok",
        "projections": "ok",
    }


def test_projections_that_wait_or_fail_are_named_and_it_is_ready(
    client: Client, beat: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "workers", lambda **options: Workers({"a": ["counters"]}))
    found = [
        ProjectionStatus("hourly:pages.page", failed_at=timezone.now(), error="a secret"),
        ProjectionStatus("totals:pages.content", lag_events=1200, lag_seconds=25.2),
        ProjectionStatus("totals:pages.page", lag_events=3, lag_seconds=0.5),
    ]
    monkeypatch.setattr(readiness, "read_projections", lambda: found)

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["projections"] == (
        "hourly:pages.page fails; totals:pages.content is 1200 events behind, 25 s"
    )


def test_not_ready_without_redis(client: Client, beat: PeriodicTask, settings: Settings) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    assert client.get("/readyz").json()["log"] == "Redis does not answer"


def test_a_redis_that_hangs_is_not_waited_for(
    client: Client, beat: PeriodicTask, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "workers", lambda **options: Workers())
    proxy.fault = Fault.SWALLOW
    began = time.monotonic()

    assert client.get("/readyz").json()["log"] == "Redis does not answer"
    assert time.monotonic() - began < LOG_TIMEOUT + 1


def test_a_worker_that_is_too_busy_to_answer_is_there(client: Client, beat: PeriodicTask) -> None:
    Partition.objects.create(number=99, flushed_at=timezone.now())

    assert client.get("/readyz").json()["worker"] == "ok"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"last_run_at": None}, "last tick: never"),
        ({"last_run_at": timezone.now() - 2 * BEAT_TIMEOUT}, "last tick: 20"),
        ({"enabled": False}, "not scheduled, or disabled"),
    ],
)
def test_not_ready_without_beat(beat: PeriodicTask, change: dict[str, Any], reason: str) -> None:
    PeriodicTask.objects.filter(pk=beat.pk).update(**change)

    states, missing = readiness.check(["beat"])

    assert missing == ["beat"]
    assert reason in states["beat"]


def test_beat_with_a_long_interval_is_given_time(beat: PeriodicTask) -> None:
    """It notes `last_run_at` every few ticks only."""
    beat.interval.every = 10
    beat.interval.save()
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=45))

    assert readiness.check(["beat"])[1] == []


def test_a_last_tick_in_the_future_is_none(beat: PeriodicTask) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() + timedelta(hours=1))

    assert readiness.check(["beat"])[1] == ["beat"]


def test_the_command_asks_for_single_parts(beat: PeriodicTask) -> None:
    out = StringIO()

    call_command("counters", "ready", "database", "beat", stdout=out)
    assert out.getvalue() == "database: ok\nbeat: ok\n"

    with pytest.raises(CommandError, match="missing: worker"):
        call_command("counters", "ready", "worker", stdout=out)
    assert "cron" in out.getvalue()
    with pytest.raises(CommandError, match="No such part: engine"):
        call_command("counters", "ready", "engine")

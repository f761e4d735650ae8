"""What Redis says of itself is told: it may evict the log, or it refuses to write."""

import logging
import os
from collections.abc import Iterator
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.core.management import call_command
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall import tasks, worker
from footfall.common.ticks import TickLimit
from footfall.conf import conf
from footfall.eventlog import LogError, condition
from footfall.eventlog.condition import SECONDS, Conditions, condition_of
from footfall.eventlog.server import Server
from footfall.flush import flush_all
from footfall.models import Spilled
from footfall.ops import readiness
from footfall.ops.facts import gather
from footfall.ops.health import Level, find_problems
from footfall.ops.workers import Workers
from footfall.record import record
from loadtest.common.waiting import wait_until
from tests.support.views import Answering, Counts

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["allkeys-lru", "allkeys-random"])
def evicting(request: pytest.FixtureRequest, server: redis.Redis) -> Iterator[str]:
    """A policy by which the server may evict the log."""
    before: Any = server.config_get("maxmemory-policy")
    server.config_set("maxmemory-policy", request.param)
    yield request.param
    server.config_set("maxmemory-policy", before["maxmemory-policy"])


@pytest.fixture
def harmless(server: redis.Redis) -> Iterator[None]:
    before: Any = server.config_get("maxmemory-policy")
    server.config_set("maxmemory-policy", "volatile-lru")
    yield
    server.config_set("maxmemory-policy", before["maxmemory-policy"])


def said() -> list[str]:
    """Return what the dashboard says in red about Redis."""
    red = (one.what for one in find_problems(gather()) if one.level is Level.RED)
    return [what for what in red if "Redis" in what]


def status() -> str:
    out = StringIO()
    call_command("counters", "status", stdout=out, force_color=True)
    return out.getvalue()


def test_a_redis_that_may_evict_the_log_is_said_in_red(evicting: str, answering: Answering) -> None:
    answering(Workers())

    states, missing = readiness.check(["log"])

    assert missing == ["log"]
    assert states["log"] == f"Redis may evict the log: {evicting}"
    (what,) = said()
    assert what.startswith("Redis may evict the log, and so lose views")
    assert evicting in what
    assert f"\x1b[31;1mRedis may evict the log: maxmemory-policy is {evicting}" in status()


def test_what_it_has_evicted_is_told(
    evicting: str, answering: Answering, server: redis.Redis, prefix: str
) -> None:
    answering(Workers())
    evicted = server.info("stats")["evicted_keys"]
    limits: Any = server.config_get("maxmemory")
    server.set(f"{prefix}:victim", "x" * 100_000)
    try:
        server.config_set("maxmemory", server.info("memory")["used_memory"] - 50_000)
        wait_until(lambda: server.info("stats")["evicted_keys"] > evicted)
    finally:
        server.config_set("maxmemory", limits["maxmemory"])

    evicted = server.info("stats")["evicted_keys"]
    assert f"{evicted} key" in said()[0]
    assert f"evicted keys: {evicted}" in status()


@pytest.mark.usefixtures("harmless")
def test_keys_without_expiry_are_safe_from_other_policies(answering: Answering) -> None:
    answering(Workers())

    assert readiness.check(["log"])[1] == said() == []


def test_a_worker_says_it_once(
    evicting: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_complaints", [])
    monkeypatch.setattr(worker, "_ticks", TickLimit(0))
    monkeypatch.setattr(worker, "_looks", TickLimit(0))
    monkeypatch.setattr(worker, "wake_projections", lambda is_quiet: None)

    for _ in range(3):
        tasks.flush()

    (said,) = (one for one in caplog.records if evicting in one.getMessage())
    assert said.levelno == logging.ERROR


def test_it_is_asked_now_and_then() -> None:
    server, now = Server(conf.COUNTERS_LOG_URL, timeout=1.0), 0.0
    asked: list[float] = []

    def ask_all(do: object) -> list[object]:
        asked.append(now)
        return [condition_of(server)]

    conditions = Conditions(ask_all, clock=lambda: now)  # type: ignore[arg-type]
    for _ in range(5):
        conditions.read()
        now += SECONDS / 2
    server.close()

    assert asked == [0, SECONDS, 2 * SECONDS]


def test_a_redis_whose_disk_is_full_is_said_in_red(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers reads, and refuses PING as it refuses writes."""
    answering(Workers())
    full = "MISCONF Errors writing to the AOF file: No space left on device"

    def call(pool: object, *command: object) -> bytes:
        if command == ("PING",):
            raise LogError(full)
        return b"maxmemory_policy:noeviction"

    monkeypatch.setattr(condition, "call", call)

    assert readiness.log() == "Redis refuses to write: MISCONF"
    assert said() == [f"Redis refuses to write: {full}"]
    assert f"Redis refuses to write: {full}" in status()


@pytest.fixture
def without_wait(server: redis.Redis, prefix: str, settings: Settings) -> Iterator[None]:
    """Its user may run all but WAIT, and a replica must have each event."""
    server.acl_setuser(prefix, enabled=True, nopass=True, keys=["*"], commands=["+@all", "-wait"])
    host = urlsplit(os.environ["REDIS_URL"])
    at = f"{prefix}:any@{host.netloc.rpartition('@')[2]}"
    settings.COUNTERS_WAIT_REPLICAS = 1
    settings.COUNTERS_LOG_URL = host._replace(netloc=at).geturl()
    yield
    server.acl_deluser(prefix)


@pytest.mark.usefixtures("without_wait")
def test_a_user_that_may_not_run_wait_is_named(
    answering: Answering,
    page: Page,
    contents: list[Content],
    counts: Counts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No replica is known to have the view: it is in log and spill, and counts once."""
    answering(Workers())
    record(page, contents)
    assert Spilled.objects.count() == 1

    states, missing = readiness.check(["log"])
    worker.check_redis(1.0)

    assert states["log"].startswith("Redis refuses WAIT")
    assert missing == ["log"]
    (what,) = said()
    assert what.startswith("Redis refuses WAIT, so each view is written twice: User")
    assert "\x1b[31;1mRedis refuses WAIT" in status()
    assert "Redis refuses WAIT" in caplog.text
    flush_all()
    assert counts() == [1, 1, 1]


def test_a_replica_that_is_missing_is_named(answering: Answering, settings: Settings) -> None:
    answering(Workers())
    assert not any("replicas" in one.what for one in find_problems(gather()))
    settings.COUNTERS_WAIT_REPLICAS = 1

    (found,) = (one for one in find_problems(gather()) if "replicas" in one.what)

    assert found.what == "Redis has 0 of the 1 replicas that must have each view."
    assert readiness.log() == ""

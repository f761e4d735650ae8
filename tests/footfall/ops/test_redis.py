"""What Redis says of itself is told: it may evict the log, or it refuses to write."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import call_command

from footfall import tasks, worker
from footfall.common.ticks import TickLimit
from footfall.conf import conf
from footfall.eventlog import LogError, condition
from footfall.eventlog.condition import SECONDS, Conditions, condition_of
from footfall.eventlog.server import Server
from footfall.ops import readiness
from footfall.ops.facts import gather
from footfall.ops.health import Level, find_problems
from footfall.ops.workers import Workers
from loadtest.common.waiting import wait_until
from tests.support.views import Answering

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
    monkeypatch.setattr(worker, "_policy", "")
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

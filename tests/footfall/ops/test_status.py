import time
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from catalog.pages.models import Content, Page
from footfall.eventlog import RedisLog
from footfall.flush import flush
from footfall.ingest.spill import spill
from footfall.models import DeadLetter
from footfall.ops.status import LOG_TIMEOUT, status
from footfall.record import record
from tests.support.proxy import Fault, Proxy
from tests.support.views import AT, store_views

pytestmark = pytest.mark.django_db


def run(command: str) -> str:
    out = StringIO()
    call_command("counters", command, stdout=out)
    return out.getvalue()


def test_pending_is_what_is_not_counted_yet(log: RedisLog, contents: list[Content]) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 5)
    flush()
    store_views(log, *[(AT, [contents[0].pk])] * 3)
    store_views(log, *[(AT, [contents[0].pk])] * 2, partition=1)
    spill(0, b"", AT)

    now = status()

    assert [one.undelivered for one in now.partitions] == [3, 2]
    assert now.spilled == 1
    assert now.pending == 6
    assert now.partitions[0].oldest_seconds is not None
    assert now.partitions[0].oldest_seconds > 1_000_000
    assert now.partitions[0].rate == pytest.approx(5 / 60)


def test_after_a_flush_nothing_is_pending(page: Page, contents: list[Content]) -> None:
    record(page, contents)
    flush()

    now = status()

    assert now.pending == 0
    assert [one.oldest_seconds for one in now.partitions] == [None, None]


def test_the_commands_speak(page: Page, contents: list[Content]) -> None:
    for _ in range(3):
        record(page, contents)

    assert run("flush") == "3 events counted\n"
    lines = run("status").splitlines()
    assert lines[0].split()[:2] == ["partition", "undelivered"]
    assert [line.split()[1] for line in lines[1:3]] == ["0", "0"]
    assert lines[-1] == "spilled: 0   dead letters: 0"


def test_without_redis_the_rest_is_shown(settings: Settings) -> None:
    flush()
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    now = status()

    assert now.pending is None
    assert now.log_error
    with pytest.raises(CommandError, match="The log is away"):
        run("status")
    with pytest.raises(CommandError, match="The log is away"):
        run("flush")


def test_before_the_first_flush_events_wait_all_the_same(
    log: RedisLog, contents: list[Content]
) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 3)

    assert status().pending == 3


def test_views_are_in_up_to_the_oldest_that_waits(log: RedisLog, contents: list[Content]) -> None:
    before = timezone.now()
    assert status().as_of == pytest.approx(before, abs=timedelta(seconds=5))

    spill(1, b"", AT + 1000)
    store_views(log, (AT + 500, [contents[0].pk]))

    assert status().as_of == pytest.approx(
        datetime.fromtimestamp(AT / 1000 + 0.5, UTC), abs=timedelta(seconds=0.1)
    )


def test_an_entry_without_a_time_breaks_nothing(server: Redis, prefix: str) -> None:
    flush()
    for at in (-1, 2**62):
        server.xadd(f"{prefix}:{{0}}:log", {"s": 1, "n": 1, "t": at, "o": 1, "b": "?"})
        assert status().as_of is not None
        server.delete(f"{prefix}:{{0}}:log")


def test_a_redis_that_hangs_is_not_waited_for(proxy: Proxy, page: Page) -> None:
    flush()
    proxy.fault = Fault.SWALLOW
    began = time.monotonic()

    now = status()

    assert time.monotonic() - began < LOG_TIMEOUT + 1
    assert (now.pending, now.as_of) == (None, None)
    assert now.log_error == "no answer within 1 s"


def test_dead_letters_are_told_by_partition() -> None:
    for partition in (1, 1, 5):
        DeadLetter.objects.create(partition=partition, at=AT, body=b"?", reason="not JSON")

    now = status()

    assert [one.dead_letters for one in now.partitions] == [0, 2]
    assert now.dead_letters == 3

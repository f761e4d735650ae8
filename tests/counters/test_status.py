from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from catalog.pages.models import Content, Page
from counters.flush import flush
from counters.record import record
from counters.spill import spill
from counters.status import status
from eventlog import Log
from tests.counters.conftest import AT
from tests.counters.test_flush import store_views

pytestmark = pytest.mark.django_db


def run(command: str) -> str:
    out = StringIO()
    call_command("counters", command, stdout=out)
    return out.getvalue()


def test_pending_is_what_is_not_counted_yet(log: Log, contents: list[Content]) -> None:
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
    assert lines[-1] == "spilled: 0   set aside: 0"


def test_without_redis_the_rest_is_shown(settings: Settings) -> None:
    flush()
    settings.EVENTLOG_URL = "redis://127.0.0.1:1"

    now = status()

    assert now.pending is None
    assert now.log_error
    with pytest.raises(CommandError, match="The log is away"):
        run("status")
    with pytest.raises(CommandError, match="The log is away"):
        run("flush")

"""A worker that is stopped while it is to read a result: no time-out ends its transaction."""

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from catalog.pages.models import Content, Page
from footfall import flush, sql, tasks, worker
from footfall.projections import totals
from footfall.record import record
from footfall.sql import postgresql
from loadtest.common.waiting import wait_until
from tests.support.concurrency import meanwhile
from tests.support.views import Counts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

LARGE = b"SELECT repeat('x', 1000) FROM generate_series(1, 50000)\0"
"""A result that no buffer of a socket takes."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "STUCK_AFTER", 0.1)
    for limit in (worker._ticks, worker._looks):
        monkeypatch.setattr(limit, "seconds", 0)


def ask_and_read_nothing() -> None:
    """Send a query beside psycopg2, which would read the answer."""
    driver = connection.connection
    os.write(driver.fileno(), b"Q" + struct.pack(">i", len(LARGE) + 4) + LARGE)


def waits_for_client(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", [pid])
        return cursor.fetchone() == ("ClientWrite",)


@contextmanager
def stopped(
    run: Callable[[], Any], stop_here: Callable[[Callable[[], None]], None]
) -> Iterator[int]:
    """Have another thread run something and stop in it until the end; yields its backend's id."""
    pids: list[int] = []
    reached, leave = threading.Event(), threading.Event()

    def stop() -> None:
        pids.append(connection.connection.info.backend_pid)
        ask_and_read_nothing()
        reached.set()
        leave.wait(60)

    def until_it_fails() -> None:
        try:
            stop_here(stop)
            with suppress(DatabaseError):
                run()
        finally:
            reached.set()
            connection.close()

    with meanwhile(until_it_fails):
        try:
            reached.wait(60)
            wait_until(lambda: waits_for_client(pids[0]), 30)
            yield pids[0]
        finally:
            leave.set()


@pytest.mark.parametrize(
    ("module", "failpoint", "step"),
    [
        (flush, "after_read", flush.ingest),
        (totals, "totals_after_apply", partial(flush.project, force=True)),
    ],
)
def test_the_others_count_on(
    module: ModuleType,
    failpoint: str,
    step: Callable[[], Any],
    page: Page,
    contents: list[Content],
    counts: Counts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record(page, contents)
    if step is not flush.ingest:
        flush.ingest()

    def stop_here(stop: Callable[[], None]) -> None:
        ours = threading.get_ident()

        def reach(name: str) -> None:
            if name == failpoint and threading.get_ident() == ours:
                stop()

        monkeypatch.setattr(module, "failpoint", reach)

    with stopped(step, stop_here):
        wait_until(lambda: tasks.flush() or counts() == [1, 1, 1], 30)


def test_no_other_transaction_is_ended() -> None:
    def read() -> None:
        with transaction.atomic():
            list(Content.objects.select_for_update())
            stops[0]()

    stops: list[Callable[[], None]] = []
    with stopped(read, stops.append) as pid:
        assert sql.end_stuck() == []
        assert waits_for_client(pid)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

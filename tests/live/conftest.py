import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from functools import partial
from pathlib import Path

import psycopg2
import pytest

from loadtest.common.launcher import Copy
from loadtest.common.ports import free_port
from loadtest.common.stores import Postgres
from loadtest.common.waiting import wait_until
from standalone import addresses
from tests.live.fixtures import ATTACK_SECONDS, Manage, Withstand
from tests.live.readers import Readers
from tests.support import processes
from tests.support.databases import restore_migrated
from tests.support.stores import NOT_DURABLE, temporary_directory

COUNTERS = """
    SELECT DISTINCT content.id, content.counter
    FROM pages_content content JOIN pages_pagecontent place ON place.content_id = content.id
    WHERE place.page_id = 1 ORDER BY content.id
"""

# Many requests of one client are what these tests are made of.
UNTHROTTLED = {
    f"THROTTLE_{scope}": "100000/min"
    for scope in (
        "REGISTER",
        "LOGIN",
        "LOGIN_ACCOUNT",
        "RESET",
        "RESET_ACCOUNT",
        "UPLOAD",
        "GENERATE",
        "WRITE",
        "MAIL",
        "MAIL_ADDRESS",
        "VIEWS",
    )
}
# What a killed worker leaves is taken over sooner than in the 15 s of the service.
LEASE = {"UPLOADS_LEASE_SECONDS": "5"}
PAUSE = 0.1
"""Seconds between two rounds of readers during an attack: it is no test of what the machine can."""
# A file is slow after a second, not after the five of the service.
SHORT = {"UPLOADS_SHORT_SECONDS": "1"}
# Who does not read is cut off sooner than after the 20 s of the service.
PATIENCE = {"SLOW_CLIENT_SECONDS": "5"}
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.live.settings"}


@pytest.fixture
def migrated(django_db_modify_db_settings: None) -> Iterator[Path]:
    """The directory of a service whose database is migrated, if that of the tests is copied, too.

    That of `service` starts with nothing at all.
    """
    with ExitStack() as stack:
        directory = temporary_directory(stack)
        (directory / "service").mkdir()
        restore_migrated(Postgres(directory / "service" / "postgres", settings=NOT_DURABLE))
        yield directory


@pytest.fixture(scope="package")
def service() -> Iterator[Copy]:
    """A running copy of the whole service, as `make run` starts it; one for all tests here.

    It ends with them: beside the tests after them it would take processor time for nothing.
    """
    with ExitStack() as stack:
        variables = UNTHROTTLED | LEASE | SHORT | PATIENCE | SETTINGS
        copy = Copy(temporary_directory(stack), free_port(), **variables)
        stack.callback(copy.end)
        wait_until(copy.is_ready, 300)
        yield copy
        assert copy.stop(signal.SIGINT) == 0, copy.output
        assert copy.output.rstrip().endswith("footfall | stopped")
        assert not copy.leftovers()


@pytest.fixture(scope="package")
def manage(service: Copy) -> Manage:
    """Runs `manage.py` as an operator does beside the running service."""
    return partial(processes.run, service.environment, processes.manage, timeout=120)


@pytest.fixture
def counters(service: Copy) -> Callable[[], list[int]]:
    """Returns the counters of the 15 contents of page 1, without reading the page."""

    def counters() -> list[int]:
        with closing(
            psycopg2.connect(addresses.read(service.data_dir, addresses.DATABASE_URL))
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(COUNTERS)
            values = [counter for _, counter in cursor.fetchall()]
        assert len(values) == 15
        return values

    return counters


@pytest.fixture
def readers(service: Copy) -> Readers:
    return Readers(service.port, "/api/v1/pages/1/")


@pytest.fixture
def withstand(readers: Readers, counters: Callable[[], list[int]], manage: Manage) -> Withstand:
    """Asserts what must hold during an attack, which is a context manager.

    Every read of a page is answered with 200, within 5 s on the busiest machine; within 3 s all of
    them are counted; the audit is clean. The attack goes on until all of that has been seen.
    """

    def withstand(attack: AbstractContextManager[object]) -> None:
        assert manage("counters", "flush").returncode == 0
        before = counters()

        def gained() -> set[int]:
            return {now - then for now, then in zip(counters(), before, strict=True)}

        with attack:
            end = time.monotonic() + ATTACK_SECONDS
            while time.monotonic() < end:
                readers.read(32)
                time.sleep(PAUSE)
            answered = readers.answers[200]
            assert readers.answers == {200: answered}
            assert readers.slowest < 5
            wait_until(lambda: gained() == {answered}, 3)
            audit = manage("counters", "audit")
            assert audit.returncode == 0, audit.stdout

    return withstand

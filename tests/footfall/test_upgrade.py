"""Stores of the version before `counters.0009_words`, with events that wait, go on counting.

`upgrade/make_dump.py` has made them.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import redis
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from tests.support import databases, processes
from tests.support.processes import Done, manage

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

OLD = Path(__file__).parent / "upgrade"
REASONS = "SELECT DISTINCT jsonb_object_keys(dropped) FROM counters_batch ORDER BY 1"


class Upgraded(NamedTuple):
    """A database of its own that the dump was loaded into, and that was migrated then."""

    connection: BaseDatabaseWrapper
    reasons: list[list[str]]
    """Why events were dropped, as it says before and after `counters.0009_words`."""
    letters: list[str]
    """Why there were dead letters, before anything was flushed."""

    def select(self, statement: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]


@pytest.fixture(scope="module")
def upgraded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Upgraded]:
    with django_db_blocker.unblock(), database() as old:
        upgraded = Upgraded(old, [], [])
        upgraded.reasons.append(upgraded.select(REASONS))
        migrate(old, "counters", "0009", "--skip-checks")
        upgraded.reasons.append(upgraded.select(REASONS))
        migrate(old)
        upgraded.letters.extend(upgraded.select("SELECT reason FROM counters_deadletter"))
        yield upgraded


@contextmanager
def database() -> Iterator[BaseDatabaseWrapper]:
    name = f"test_upgrade_{uuid4().hex}"
    old = connection.copy("upgrade")
    old.settings_dict = {**connection.settings_dict, "NAME": name}
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        with old.cursor() as cursor:
            cursor.execute((OLD / "dump.sql").read_text())
        yield old
    finally:
        old.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def environment_of(old: BaseDatabaseWrapper) -> dict[str, str]:
    return databases.environment(old.settings_dict["NAME"])


def migrate(old: BaseDatabaseWrapper, *words: str) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment_of(old)}
    done = processes.run(environment, manage, "migrate", *words, "--verbosity", "0")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def log(server: redis.Redis, prefix: str) -> dict[str, Any]:
    """The log of that database, under the test's own prefix, and what must be counted of it."""
    log: dict[str, Any] = json.loads((OLD / "log.json").read_text())
    for key, value in log["keys"].items():
        if isinstance(value, int):
            server.set(f"{prefix}:{key}", value)
        else:
            for entry_id, fields in value:
                server.xadd(f"{prefix}:{key}", dict(fields), id=entry_id)
    return log


def test_what_the_tables_say_in_the_old_words_is_said_in_the_new_ones(upgraded: Upgraded) -> None:
    assert upgraded.reasons == [
        ["counted from the spill", "seen before", "set aside", "target deleted"],
        ["already_counted", "counted_from_spill", "dead_letter", "target_deleted"],
    ]
    assert [reason[:8] for reason in upgraded.letters] == ["not JSON"]
    permissions = """
        SELECT codename FROM auth_permission
        JOIN auth_group_permissions ON permission_id = auth_permission.id ORDER BY codename
    """
    assert upgraded.select(permissions) == [
        "add_deadletter",
        "change_deadletter",
        "delete_deadletter",
        "view_deadletter",
    ]


def test_a_flusher_of_the_version_before_cannot_count_past_the_store(upgraded: Upgraded) -> None:
    """It writes a batch in the transaction that counts: without its table all is rolled back."""
    assert upgraded.select("SELECT to_regclass('counters_batch') IS NULL") == [True]


def test_events_that_waited_are_counted_once(
    upgraded: Upgraded, log: dict[str, Any], environment: dict[str, str]
) -> None:
    environment |= environment_of(upgraded.connection)
    assert upgraded.select("SELECT count(*) FROM counters_spilled") == [4]
    lowered = "SELECT counter_lowered FROM counters_invalidation ORDER BY id"
    assert upgraded.select(lowered) == [False, True]

    def run(*command: str) -> Done:
        return processes.run(environment, manage, *command)

    audits = [run("counters", "audit")]
    flushes = [run("counters", "flush") for _ in range(2)]
    audits.append(run("counters", "audit"))

    # One more is stored for a worker that knows its model.
    assert [flush.stdout for flush in flushes] == [
        f"{log['waiting'] + 1} events counted\n",
        "0 events counted\n",
    ]
    of_item = "SELECT number FROM counters_projection WHERE name = 'totals:shop.item'"
    assert upgraded.select(of_item) == [0]
    for table, expected in log["counters"].items():
        found = dict(upgraded.select(f"SELECT id, counter FROM {table}"))  # noqa: S608
        assert {str(pk): counter for pk, counter in found.items()} == expected
    assert [(audit.returncode, audit.stdout[:5]) for audit in audits] == [(0, "clean")] * 2
    for table in ("counters_spilled", "counters_invalidation"):
        assert upgraded.select(f"SELECT count(*) FROM {table}") == [0]  # noqa: S608

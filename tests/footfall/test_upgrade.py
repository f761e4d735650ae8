"""Stores of the version before `counters.0009_words`, with events that wait, go on counting.

`upgrade/make_dump.py` has made them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.support import databases, processes
from tests.support.processes import Done, manage

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

OLD = Path(__file__).parent / "upgrade"


@pytest.fixture
def old() -> Iterator[BaseDatabaseWrapper]:
    """A connection to a database of its own that the dump was loaded into."""
    name = f"test_upgrade_{uuid4().hex}"
    loaded = connection.copy("upgrade")
    loaded.settings_dict = {**connection.settings_dict, "NAME": name}
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        with loaded.cursor() as cursor:
            cursor.execute((OLD / "dump.sql").read_text())
        yield loaded
    finally:
        loaded.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


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


def select(old: BaseDatabaseWrapper, statement: str) -> list[Any]:
    with old.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def test_events_that_waited_are_counted_once(
    old: BaseDatabaseWrapper, log: dict[str, Any], environment: dict[str, str]
) -> None:
    environment |= databases.environment(old.settings_dict["NAME"])
    assert select(old, "SELECT count(*) FROM counters_spilled") == [4]

    def run(*command: str) -> Done:
        return processes.run(environment, manage, *command)

    migrated = run("migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    audits = [run("counters", "audit")]
    flushes = [run("counters", "flush") for _ in range(2)]
    audits.append(run("counters", "audit"))

    # One more is stored for a worker that knows its model.
    assert [flush.stdout for flush in flushes] == [
        f"{log['waiting'] + 1} events counted\n",
        "0 events counted\n",
    ]
    assert select(
        old, "SELECT number FROM counters_projection WHERE name = 'totals:shop.item'"
    ) == [0]
    for table, expected in log["counters"].items():
        found = dict(select(old, f"SELECT id, counter FROM {table}"))  # noqa: S608
        assert {str(pk): counter for pk, counter in found.items()} == expected
    assert [(audit.returncode, audit.stdout[:5]) for audit in audits] == [(0, "clean")] * 2
    for table in ("counters_spilled", "counters_invalidation"):
        assert select(old, f"SELECT count(*) FROM {table}") == [0]  # noqa: S608


def test_a_flusher_of_the_version_before_cannot_count_past_the_store(
    old: BaseDatabaseWrapper, environment: dict[str, str]
) -> None:
    """It writes a batch in the transaction that counts: without its table all is rolled back."""
    environment |= databases.environment(old.settings_dict["NAME"])
    migrated = processes.run(environment, manage, "migrate", "--verbosity", "0")

    assert migrated.returncode == 0, migrated.stderr
    assert select(old, "SELECT to_regclass('counters_batch') IS NULL") == [True]


def test_what_the_tables_say_in_the_old_words_is_said_in_the_new_ones(
    old: BaseDatabaseWrapper, environment: dict[str, str]
) -> None:
    environment |= databases.environment(old.settings_dict["NAME"])
    names = "SELECT DISTINCT jsonb_object_keys(dropped) FROM counters_batch ORDER BY 1"
    assert select(old, names) == [
        "counted from the spill",
        "seen before",
        "set aside",
        "target deleted",
    ]

    words = processes.run(
        environment, manage, "migrate", "counters", "0009", "--verbosity", "0", "--skip-checks"
    )

    assert words.returncode == 0, words.stderr
    assert select(old, names) == [
        "already_counted",
        "counted_from_spill",
        "dead_letter",
        "target_deleted",
    ]
    migrated = processes.run(environment, manage, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    assert [reason[:8] for reason in select(old, "SELECT reason FROM counters_deadletter")] == [
        "not JSON"
    ]
    assert select(old, "SELECT counter_lowered FROM counters_invalidation ORDER BY id") == [
        False,
        True,
    ]
    permissions = """
        SELECT codename FROM auth_permission
        JOIN auth_group_permissions ON permission_id = auth_permission.id ORDER BY codename
    """
    assert select(old, permissions) == [
        "add_deadletter",
        "change_deadletter",
        "delete_deadletter",
        "view_deadletter",
    ]

"""Countable models of other kinds; and a second database on the server of the first."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.db import connection, connections
from pytest_django import DjangoDbBlocker, Settings

from footfall import registry
from footfall.models import CounterCopy
from tests.support.targets import AT_HOME, ELSEWHERE, OTHER, countable, tables

ROUTERS = ["footfall.routers.CountersRouter", "tests.support.targets.ShopRouter"]


@pytest.fixture(scope="package")
def tables_at_home(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """MySQL would commit a test that creates a table."""
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            stack.enter_context(tables(*AT_HOME))
        yield
        with django_db_blocker.unblock():
            stack.close()


@pytest.fixture
def at_home(tables_at_home: None, few_models: None, db: None) -> Iterator[None]:
    """The models of `AT_HOME` are there."""
    with countable(*AT_HOME):
        yield


@pytest.fixture(scope="session")
def other_name(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a second database on the server, which has the one table and the models'."""
    name = f"{connection.settings_dict['NAME']}_{secrets.token_hex(4)}"
    quoted = connection.ops.quote_name(name)
    is_server = connection.vendor != "sqlite"
    with django_db_blocker.unblock(), ExitStack() as stack:
        if is_server:
            execute(f"CREATE DATABASE {quoted}")
            stack.callback(execute, f"DROP DATABASE {quoted}")
        connections.databases[OTHER] = {**connection.settings_dict, "NAME": name}
        with connections[OTHER].schema_editor() as editor:
            editor.create_model(CounterCopy)
        with tables(*ELSEWHERE):
            connections[OTHER].close()
            yield name
        connections[OTHER].close()
        del connections[OTHER]
        del connections.databases[OTHER]


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def other(
    few_models: None, other_name: str, transactional_db: None, settings: Settings
) -> Iterator[str]:
    """The second database: its alias. The models of `ELSEWHERE` are there."""
    settings.DATABASE_ROUTERS = ROUTERS
    registry.forget_models()
    with countable(*ELSEWHERE):
        yield OTHER
    with connections[OTHER].cursor() as cursor:
        cursor.execute("DELETE FROM counters_countercopy")
    connections[OTHER].close()

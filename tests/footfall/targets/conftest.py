"""Countable models of other kinds; and a second database on the server of the first."""

import secrets
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, connections
from pytest_django import DjangoDbBlocker, Settings

from footfall import registry
from tests.support.targets import AT_HOME, ELSEWHERE, OTHER, countable

ROUTERS = ["footfall.routers.CountersRouter", "tests.support.targets.ShopRouter"]


@pytest.fixture
def at_home(transactional_db: None) -> Iterator[None]:
    """The models of `AT_HOME` are there."""
    with countable(*AT_HOME):
        yield


@pytest.fixture(scope="session")
def other_name(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a second database that `migrate` has filled."""
    name = f"{connection.settings_dict['NAME']}_{secrets.token_hex(4)}"
    is_server = connection.vendor != "sqlite"
    with django_db_blocker.unblock():
        if is_server:
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("django.conf.settings.DATABASE_ROUTERS", ROUTERS)
            patch.setattr("django.db.router.routers", _routers())
            connections.databases[OTHER] = {**connection.settings_dict, "NAME": name}
            call_command("migrate", "counters", database=OTHER, verbosity=0)
            connections[OTHER].close()
    yield name
    del connections[OTHER]
    del connections.databases[OTHER]
    if is_server:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {connection.ops.quote_name(name)}")


def _routers() -> list[object]:
    from django.utils.module_loading import import_string

    return [import_string(name)() for name in ROUTERS]


@pytest.fixture
def other(other_name: str, transactional_db: None, settings: Settings) -> Iterator[str]:
    """The second database: its alias. The models of `ELSEWHERE` are there."""
    settings.DATABASE_ROUTERS = ROUTERS
    registry.forget_models()
    with countable(*ELSEWHERE):
        yield OTHER
    with connections[OTHER].cursor() as cursor:
        cursor.execute("DELETE FROM counters_countercopy")
    connections[OTHER].close()

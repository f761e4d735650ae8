"""A primary of PostgreSQL that dies, and its standby in its place: real processes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from psycopg2.extensions import set_wait_callback

from project.backends import database
from project.databases.db_timeout import Hosts, WaitCallback
from tests.support.postgres_pair import PostgresPair
from tests.support.stores import temporary_directory

pytestmark = pytest.mark.postgres
TABLE = "CREATE TABLE seen (number int)"


@pytest.fixture(scope="module")
def pair() -> Iterator[PostgresPair]:
    with ExitStack() as stack:
        pair = PostgresPair(temporary_directory(stack) / "pair", fsync="off")
        stack.callback(pair.stop)
        pair.start()
        yield pair


@pytest.fixture(params=["web server", "worker"])
def connect(
    pair: PostgresPair, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Any]]:
    """Connects as this process does to the database that `DATABASE_URL` names."""
    monkeypatch.setenv("DATABASE_URL", pair.url)
    config = database()
    known = {"host": config["HOST"], "port": config["PORT"], "dbname": config["NAME"]}
    options = {**known, "user": config["USER"], **config["OPTIONS"]}
    if request.param == "web server":
        wait = WaitCallback(settings.DATABASE_TIMEOUT_SECONDS)
        options["connection_factory"] = Hosts(breaker=wait.breaker)
        set_wait_callback(wait)
    yield lambda: psycopg2.connect(**options)
    set_wait_callback(None)


def write(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def test_what_was_committed_is_at_the_standby_that_takes_over(
    pair: PostgresPair, connect: Callable[[], Any]
) -> None:
    with closing(connect()) as connection:
        write(connection, TABLE)
        write(connection, "INSERT INTO seen VALUES (1)")
        pair.promote()
        with pytest.raises(psycopg2.Error):
            write(connection, "INSERT INTO seen VALUES (2)")

    with closing(connect()) as connection:
        write(connection, "INSERT INTO seen VALUES (3)")
        assert write(connection, "SELECT number FROM seen ORDER BY number") == [(1,), (3,)]
    pair.follow()
    with closing(connect()) as connection:  # the standby is the first of the two hosts now
        write(connection, "INSERT INTO seen VALUES (4)")
        write(connection, "DROP TABLE seen")


def test_without_a_primary_it_is_said_at_once(
    pair: PostgresPair, connect: Callable[[], Any]
) -> None:
    pair.primary.kill()

    with pytest.raises(psycopg2.OperationalError, match="read-only"):
        connect()
    pair.promote()
    pair.follow()

"""A PostgreSQL that accepts connections and does not respond, simulated by a proxy."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, ProgrammingError, close_old_connections, connection
from django.test import Client
from psycopg2.extensions import set_wait_callback
from pytest_django import Settings

from catalog.pages.models import Page
from project.databases import db_timeout
from project.databases.db_timeout import WaitCallback
from tests.support.proxy import Fault, Proxy

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,  # the guard is psycopg2's
]

SECONDS = 1.0


class Frozen:
    """A PostgreSQL that can be frozen. `now`: the clock of the circuit breaker."""

    def __init__(self, proxy: Proxy, guard: WaitCallback, upstream: str) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.now = 0.0
        guard.breaker._clock = lambda: self.now
        self.breaker = guard.breaker

    def freeze(self) -> None:
        self.proxy.fault = Fault.SWALLOW

    def thaw(self) -> None:
        self.proxy.fault = Fault.NONE

    @property
    def connections(self) -> int:
        """The number of connections ever made to it."""
        return len(self.proxy._threads) // 2


def address() -> str:
    """Return the URL of the database for the proxy."""
    host = str(connection.settings_dict["HOST"])
    port = str(connection.settings_dict["PORT"] or 5432)
    return f"unix://{host}/.s.PGSQL.{port}" if host.startswith("/") else f"tcp://{host}:{port}"


@pytest.fixture
def postgres(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Frozen]:
    settings.DATABASE_TIMEOUT_SECONDS = SECONDS
    connection.close()
    upstream = address()
    with Proxy(upstream) as proxy, monkeypatch.context() as patched:
        options = dict(connection.settings_dict["OPTIONS"])
        patched.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        patched.setitem(connection.settings_dict, "PORT", str(urlsplit(proxy.url).port))
        patched.setitem(connection.settings_dict, "OPTIONS", options)
        try:
            yield Frozen(proxy, db_timeout.install(), upstream)
        finally:
            set_wait_callback(None)
            connection.close()


def ask(sleep: float = 0) -> object:
    """Run a query like a request, which first checks the connection of the last one."""
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 7 FROM pg_sleep(%s)", [sleep])
        return cursor.fetchone()


def test_requests_are_refused_and_prepared_pages_answered(postgres: Frozen, client: Client) -> None:
    prepared, other = (Page.objects.create(title=f"Page {n}") for n in range(2))
    assert client.get(f"/api/v1/pages/{prepared.pk}/").status_code == 200
    postgres.freeze()

    answers = [client.get(f"/api/v1/pages/{page.pk}/") for page in (other, prepared)]
    page = client.get("/api/v1/pages/")

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0]["Retry-After"] == "1"
    assert page.status_code == 503


def test_who_comes_after_is_not_even_connected(postgres: Frozen) -> None:
    ask()
    postgres.freeze()
    with pytest.raises(OperationalError, match="did not answer"):
        ask()
    before = postgres.connections

    with pytest.raises(OperationalError, match="just now"):
        ask()

    assert postgres.connections == before


def test_after_a_second_one_tries_and_all_goes_on(postgres: Frozen) -> None:
    postgres.freeze()
    with pytest.raises(OperationalError, match=r"within 1 s"):
        ask()
    postgres.now += 1
    before = postgres.connections
    for _ in range(3):
        with suppress(OperationalError):
            ask()
    assert postgres.connections == before + 2  # the one who tried, and the one who asked for him
    postgres.thaw()
    postgres.now += 1

    assert ask() == (7,)
    assert not postgres.breaker.is_open


@pytest.fixture
def other(postgres: Frozen) -> Iterator[Proxy]:
    """The second of two hosts: the first may be frozen."""
    with Proxy(postgres.upstream) as other, pytest.MonkeyPatch.context() as patched:
        ports = [urlsplit(one.url).port for one in (postgres.proxy, other)]
        patched.setitem(connection.settings_dict, "HOST", "127.0.0.1,127.0.0.1")
        patched.setitem(connection.settings_dict, "PORT", ",".join(map(str, ports)))
        yield other
        connection.close()


def test_of_several_hosts_one_that_says_nothing_does_not_hide_the_others(
    postgres: Frozen, other: Proxy
) -> None:
    postgres.freeze()

    assert ask() == (7,)
    before = postgres.connections
    connection.close()
    assert ask() == (7,)  # the one that answered is asked first
    assert postgres.connections == before
    assert not postgres.breaker.is_open


def test_a_host_that_says_nothing_any_more_is_left_for_the_other(
    postgres: Frozen, other: Proxy
) -> None:
    assert ask() == (7,)
    assert postgres.connections
    postgres.freeze()
    with pytest.raises(OperationalError, match="did not answer"):
        ask()
    postgres.now += 1

    assert ask() == (7,)
    assert not postgres.breaker.is_open


def test_what_is_only_slow_is_left_alone(postgres: Frozen) -> None:
    assert ask(sleep=2.5 * SECONDS) == (7,)
    assert not postgres.breaker.is_open


def test_a_server_that_refuses_lives(postgres: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the second connection is refused, the first one waits on."""
    ask()
    monkeypatch.setitem(connection.settings_dict, "NAME", "nothing_of_this_name")

    assert ask(sleep=1.5 * SECONDS) == (7,)


def test_a_query_that_is_wrong_is_no_silence(postgres: Frozen) -> None:
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute("SELECT nothing")
    assert ask() == (7,)

"""Lists, series and the dashboard from a replica, and what never comes from there."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.db import OperationalError, connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from catalog.books.models import Book
from loadtest.common.waiting import wait_until
from project.databases import replica as module
from project.databases.replica import ALIAS, Replica, Router, reading
from tests.support.pages import make_contents, make_page
from tests.support.postgres_pair import PostgresPair
from tests.support.stores import temporary_directory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


class Ends:
    """Stands for the ends of the two logs, and the time."""

    def __init__(self) -> None:
        self.at = {"default": 100.0, ALIAS: 100.0}
        self.now = 0.0
        self.away: set[str] = set()
        self.looks = 0

    def __call__(self, alias: str) -> float:
        self.looks += 1
        if alias in self.away:
            raise OperationalError("away")
        return self.at[alias]

    def replica(self) -> Replica:
        return Replica(self, lambda: self.now)


@pytest.fixture
def ends() -> Ends:
    return Ends()


def lag(replica: Replica) -> float | None:
    return replica.state().lag_seconds


def test_the_lag_is_how_long_ago_the_primary_was_there(ends: Ends) -> None:
    replica = ends.replica()
    for second in range(10):
        ends.now = float(second)
        ends.at["default"] += 10
        replica.state()
    assert lag(replica) == 9
    ends.at[ALIAS] = 165.0  # as the primary between the sixth and the seventh look
    ends.now = 10.0

    assert lag(replica) == 5
    ends.at[ALIAS] = ends.at["default"]
    ends.now = 11.0
    assert lag(replica) == 0


def test_a_replica_that_is_far_behind_when_a_process_starts_is_not_used(ends: Ends) -> None:
    ends.at[ALIAS] = 1.0  # hours ago
    replica = ends.replica()
    state = replica.state()
    assert not state.is_used
    assert str(state) == "the replica is more than 0 s behind: the primary is asked"
    ends.now = 1.0
    ends.at |= {"default": 120.0, ALIAS: 110.0}

    assert replica.state().is_used


def test_an_idle_primary_makes_no_lag(ends: Ends) -> None:
    replica = ends.replica()
    for second in (0, 1, 3600):
        ends.now = float(second)
        assert lag(replica) == 0


def test_it_is_looked_at_once_a_second(ends: Ends) -> None:
    replica = ends.replica()
    for hundredth in range(150):
        ends.now = hundredth / 100
        replica.state()

    assert ends.looks == 4


def test_while_the_primary_is_away_what_is_known_of_the_replica_grows_old(
    ends: Ends, settings: Settings
) -> None:
    settings.DATABASE_REPLICA_MAX_LAG_SECONDS = 5.0
    replica = ends.replica()
    assert replica.state().is_used
    ends.away = {"default"}
    ends.now = 5.0
    assert replica.state().is_used
    ends.now = 7.0
    assert lag(replica) == 6
    assert not replica.state().is_used
    assert str(replica.state()) == "the replica is 6 s behind: the primary is asked"


def test_a_replica_that_is_away_is_not_used(ends: Ends) -> None:
    replica = ends.replica()
    ends.away = {ALIAS}
    ends.now = 1.0
    replica.state()
    ends.now = 2.0

    assert not replica.state().is_used
    assert str(replica.state()) == "the replica does not answer: the primary is asked"


@pytest.fixture
def pair() -> Iterator[PostgresPair]:
    with ExitStack() as stack:
        pair = PostgresPair(temporary_directory(stack) / "pair", fsync="off")
        stack.callback(pair.stop)
        pair.start()
        yield pair


def test_a_standby_that_is_cut_off_falls_behind_and_comes_back(pair: PostgresPair) -> None:
    now = 0.0

    def end(alias: str) -> float:
        server = pair.primary if alias == "default" else pair.standby
        return float(server.rows(module.END_OF_LOG)[0][0])

    replica = Replica(end, lambda: now)
    assert lag(replica) == 0
    with pair.cut_off():
        pair.primary.rows("CREATE TABLE seen (number int)")
        now = 4.0
        assert lag(replica) == 4
    pair.wait_whole()
    wait_until(lambda: end(ALIAS) >= end("default"))
    now = 8.0
    assert lag(replica) == 0


@pytest.fixture
def second(settings: Settings, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    """The same database once more, as the replica."""
    alike = {**connection.settings_dict, "OPTIONS": dict(connection.settings_dict["OPTIONS"])}
    monkeypatch.setitem(connections.settings, ALIAS, alike)
    monkeypatch.setattr(module, "replica", replica := ends.replica())
    monkeypatch.setattr("project.middleware.read_replica.replica", replica)
    monkeypatch.setattr("project.health.replica", replica)
    monkeypatch.setattr("project.metrics.replica", replica)
    settings.DATABASE_ROUTERS = [Router()]
    connections[ALIAS].connect()  # Django lets no test open it: the mark cannot name it yet
    yield ends
    connections[ALIAS].close()
    del connections[ALIAS]


def asked(client: Client, path: str, **headers: str) -> dict[str, int]:
    """Return how many queries each database was asked for an answer that is good."""
    with (
        CaptureQueriesContext(connection) as primary,
        CaptureQueriesContext(connections[ALIAS]) as other,
    ):
        answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return {"default": len(primary), ALIAS: len(other)}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pages/", "/api/v1/books/", "/api/v1/films/", "/api/v1/contents/top/?window=all",
        "/api/v1/contents/{}/views/?interval=hour",
    ],
)  # fmt: skip
def test_lists_and_series_come_from_the_replica(path: str, client: Client, second: Ends) -> None:
    content = make_contents(1)[0]
    make_page(content)

    found = asked(client, path.format(content.pk))

    assert found[ALIAS]
    second.now, second.away = 1.0, {ALIAS}
    assert asked(client, path.format(content.pk))[ALIAS] == 0


def test_what_is_read_and_counted_comes_from_the_primary(client: Client, second: Ends) -> None:
    page = make_page(*make_contents(1))

    assert asked(client, f"/api/v1/pages/{page.pk}/")[ALIAS] == 0
    assert asked(client, "/api/v1/files/")[ALIAS] == 0


def test_who_is_signed_in_finds_what_was_written_just_now(
    admin_client: Client, second: Ends
) -> None:
    assert asked(admin_client, "/api/v1/books/")[ALIAS] == 0
    assert asked(admin_client, "/api/v1/books/")["default"]


def test_the_dashboard_comes_from_the_replica_and_the_session_does_not(
    admin_client: Client, second: Ends
) -> None:
    with CaptureQueriesContext(connections[ALIAS]) as other:
        answer = admin_client.get(reverse("admin:counters_dashboard_views"))

    assert answer.status_code == 200
    statements = " ".join(query["sql"] for query in other)
    assert "counters_hourtotal" in statements
    assert "session" not in statements
    assert 'FROM "accounts_user"' not in statements


def test_a_replica_that_dies_meanwhile_is_not_noticed_by_clients(
    client: Client, second: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    Book.objects.create(title="One", year=2000)

    def dies(*of: object) -> None:
        raise OperationalError("server closed the connection")

    with connections[ALIAS].execute_wrapper(dies):
        answer = client.get("/api/v1/books/")

    assert answer.status_code == 200
    assert answer.json()["count"] == 1
    assert asked(client, "/api/v1/books/")[ALIAS] == 0  # until it has answered again
    second.now += 1
    assert asked(client, "/api/v1/books/")[ALIAS]


def test_writes_go_to_the_primary_whatever_is_read(second: Ends) -> None:
    with reading() as is_reading:
        assert is_reading
        book = Book.objects.create(title="One", year=2000)
        assert book._state.db == "default"
        assert Book.objects.get()._state.db == ALIAS


def test_the_lag_is_seen(client: Client, second: Ends, settings: Settings) -> None:
    settings.DATABASE_REPLICA_MAX_LAG_SECONDS = 2.0
    client.get("/api/v1/books/")
    second.at["default"] += 10
    second.now = 9.0

    ready = client.get("/readyz").json()
    metrics = client.get("/metrics").content.decode()

    assert ready["replica"] == "the replica is 9 s behind: the primary is asked"
    assert "footfall_replica_used 0.0" in metrics
    assert "footfall_replica_lag_seconds 9.0" in metrics


def test_without_a_replica_nothing_is_said_of_one(client: Client) -> None:
    assert "replica" not in client.get("/readyz").json()
    assert "footfall_replica" not in client.get("/metrics").content.decode()

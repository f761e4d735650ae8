"""How far the counting is, asked where routers have reads go to a replica that is behind."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, models
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall.flush import flush_all
from footfall.ingest.spill import spill
from footfall.models import Spilled
from footfall.ops.status import status
from footfall.record import record

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
REPLICA = "replica"
Behind = Callable[[], AbstractContextManager[None]]


class Router:
    """Sends what is read of the counting to the replica."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return REPLICA if model._meta.app_label in ("counters", "pages") else None


@pytest.fixture
def behind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """While it is entered, reads go to the database as it was then: to a snapshot of it."""
    alike = {**connection.settings_dict, "OPTIONS": dict(connection.settings_dict["OPTIONS"])}
    monkeypatch.setitem(connections.settings, REPLICA, alike)
    replica = connections[REPLICA]
    replica.connect()  # Django lets no test open it: the mark cannot name it yet

    @contextmanager
    def entered() -> Iterator[None]:
        with replica.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT count(*) FROM counters_segment")
        yield
        settings.DATABASE_ROUTERS = []

    yield entered
    replica.close()
    del connections[REPLICA]


def test_what_is_spilled_since_is_pending(
    page: Page, contents: list[Content], behind: Behind, settings: Settings, real_delay: None
) -> None:
    record(page, contents)
    flush_all()
    with behind():
        spill(0, b"", 0)
        before = timezone.now()
        settings.DATABASE_ROUTERS = [Router()]
        assert not Spilled.objects.exists()

        now = status()

    assert now.pending == 1
    assert now.as_of is not None
    assert now.as_of < before


def test_what_is_stored_since_is_pending_there(
    page: Page, contents: list[Content], behind: Behind, settings: Settings, real_delay: None
) -> None:
    record(page, contents)
    flush_all()
    with behind():
        before = timezone.now()
        record(page, contents)
        record(page, contents)
        flush_all()
        settings.DATABASE_ROUTERS = [Router()]

        now = status()
        counter = Content.objects.get(pk=contents[0].pk).counter

    assert (counter, now.pending) == (1, 2)
    assert now.as_of is not None
    assert now.as_of <= before
    assert status().pending == 0


def test_while_the_primary_is_away_it_is_not_known_what_waits(
    page: Page, contents: list[Content], behind: Behind, settings: Settings
) -> None:
    def dies(*of: object) -> None:
        raise OperationalError("server closed the connection")

    record(page, contents)
    flush_all()
    with behind():
        settings.DATABASE_ROUTERS = [Router()]
        with connection.execute_wrapper(dies):
            now = status()

    assert (now.pending, now.as_of) == (None, None)
    assert now.log_error

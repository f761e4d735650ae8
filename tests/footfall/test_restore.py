"""Stores from an hour ago, beside today's: what is counted then, and what is told as lost.

Pages are read all the time: also before the restore is noticed, and after it.
"""

from collections.abc import Callable

import pytest
import redis
from django.db import transaction
from django.db.models import Model

from catalog.pages.models import Content, Page
from footfall.flush import flush, flush_all
from footfall.models import (
    Partition,
    ProducerState,
    Projection,
    Segment,
    Spilled,
    StoreHead,
)
from footfall.ops.audit.run import differences
from footfall.ops.status import status
from footfall.record import record
from footfall.recount.rebuild import rebuild_lost
from tests.support.projections import rolled_up
from tests.support.views import Counts

pytestmark = pytest.mark.django_db

Read = Callable[[int], None]


class RedisBackup:
    """The keys of a prefix as they are now."""

    def __init__(self, server: redis.Redis, prefix: str) -> None:
        self._server, self._prefix = server, prefix
        self._dumps = {key: server.dump(key) or b"" for key in self._keys()}

    def restore(self) -> None:
        """Replace what is there now."""
        for key in self._keys():
            self._server.delete(key)
        for key, dump in self._dumps.items():
            self._server.restore(key, 0, dump)

    def _keys(self) -> list[bytes]:
        return list(self._server.scan_iter(f"{self._prefix}*"))


class Rows(list[tuple[type[Model], list[Model]]]):
    """The rows of some tables as they are now."""

    @classmethod
    def of(cls, *models: type[Model]) -> "Rows":
        return cls((model, list(model._default_manager.all())) for model in models)

    def restore(self) -> None:
        for model, rows in self:
            model._default_manager.all().delete()
            model._default_manager.bulk_create(rows)


@pytest.fixture
def read(page: Page, contents: list[Content]) -> Read:
    """Reads the page so many times."""

    def read(times: int) -> None:
        for _ in range(times):
            record(page, contents)

    return read


@pytest.fixture
def trimmed(server: redis.Redis, prefix: str) -> Callable[[int], None]:
    """Lets the log of the page keep only its last entries, as its retention does."""

    def trim(kept: int) -> None:
        (stream,) = server.scan_iter(f"{prefix}*:log")
        server.xtrim(stream, maxlen=kept, approximate=False)

    return trim


def count_all() -> None:
    flush_all()
    assert not list(differences())


@pytest.mark.parametrize(("kept", "lost"), [(12, 0), (7, 5), (2, 10), (1, 11)])
def test_a_database_of_an_hour_ago(
    read: Read, trimmed: Callable[[int], None], counts: Counts, kept: int, lost: int
) -> None:
    """Ten views were counted after the backup, and two wait in the log."""
    read(3)
    flush()
    an_hour_ago = transaction.savepoint()
    read(10)
    flush()
    read(2)
    trimmed(kept)

    transaction.savepoint_rollback(an_hour_ago)
    read(1)
    flush()
    read(1)
    count_all()

    assert counts() == [3 + kept + 2] * 3
    assert status().missing == lost


def test_a_redis_of_an_hour_ago(
    read: Read, server: redis.Redis, prefix: str, counts: Counts
) -> None:
    """Two views were in its log then, and counted since; two are lost with its end."""
    read(3)
    flush()
    read(2)
    an_hour_ago = RedisBackup(server, prefix)
    flush()
    read(4)
    flush()
    read(2)

    an_hour_ago.restore()
    read(1)
    flush()
    read(1)
    count_all()

    assert counts() == [3 + 2 + 4 + 2] * 3
    assert status().missing == 2


@pytest.mark.parametrize("first", ["database", "redis"])
def test_both_of_an_hour_ago(
    read: Read, server: redis.Redis, prefix: str, counts: Counts, first: str
) -> None:
    """The backups are not of one moment: two views, counted or not, lie between them.

    In the log of the younger Redis they are counted again; an older one did not have them. The five
    after both are lost.
    """
    read(3)
    flush()
    read(1)
    early = transaction.savepoint(), RedisBackup(server, prefix)
    read(2)
    flush()
    late = transaction.savepoint(), RedisBackup(server, prefix)
    database, log = (early[0], late[1]) if first == "database" else (late[0], early[1])
    read(5)
    flush()

    transaction.savepoint_rollback(database)
    log.restore()
    read(1)
    flush()
    read(1)
    count_all()

    assert counts() == [3 + 1 + 2 + 2] * 3
    assert status().missing == 5


def test_a_redis_that_comes_back_empty(
    read: Read, server: redis.Redis, prefix: str, counts: Counts
) -> None:
    empty = RedisBackup(server, prefix)
    read(3)
    flush()
    read(2)

    empty.restore()
    read(1)
    flush()
    read(1)
    count_all()

    assert counts() == [3 + 2] * 3
    assert status().missing == 2


@pytest.mark.parametrize("later", [0, 1, 8])
def test_projections_that_are_ahead_of_a_restored_store(
    read: Read, counts: Counts, contents: list[Content], later: int
) -> None:
    """They lie in another database. `later`: views after the restore; then numbers come again.

    The position of none is in the store: each starts over from the base.
    """
    read(3)
    count_all()
    an_hour_ago = Rows.of(StoreHead, Segment, Partition, ProducerState, Spilled)
    for _ in range(3):
        read(2)
        count_all()

    an_hour_ago.restore()
    read(later)
    flush()
    assert len(rebuild_lost()) == Projection.objects.count() > 0
    read(1)
    count_all()

    assert counts() == [3 + 6 + later + 1] * 3
    assert [rolled_up(content) for content in contents] == counts()
    assert status().missing == 0

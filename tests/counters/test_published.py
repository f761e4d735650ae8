"""The copies of the counters in Redis: raised after a flush, never lowered by who comes late."""

import os
import time
from collections.abc import Callable

import pytest
import redis
from pytest_django import Settings

from catalog.pages.models import Content, Page
from counters import prepared, published
from counters.flush import flush
from counters.homes import Homes
from counters.log import get_shelf
from counters.record import partition_for, record
from eventlog import LogError

pytestmark = pytest.mark.django_db


@pytest.fixture
def copies(
    page: Page, contents: list[Content], server: redis.Redis, prefix: str
) -> Callable[[], dict[str, bytes | None]]:
    """Prepares the page in both partitions; returns the copies of its first content's counter."""
    name = f"pages.content:{contents[0].pk}"
    for partition in (0, 1):
        lease = get_shelf().lease(partition, "some page")
        assert lease is not None
        get_shelf().put(lease, b"body", b"answer", [(name, 0)])
    keys = {f"{p}": f"{prefix}:{{{p}}}:number:{name}" for p in (0, 1)}
    return lambda: {p: server.get(key) for p, key in keys.items()}  # type: ignore[misc]


Copies = Callable[[], dict[str, bytes | None]]


def test_flush_raises_the_copies_in_every_partition(
    page: Page, contents: list[Content], copies: Copies
) -> None:
    record(page, contents)
    flush()
    assert copies() == {"0": b"1", "1": b"1"}


def test_flusher_that_knows_where_copies_are_asks_nowhere_else(
    page: Page, contents: list[Content], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowing = Homes(life=0)
    monkeypatch.setattr(published, "homes", lambda: knowing)
    here = f"{partition_for(f'pages.page:{page.pk}')}"
    record(page, contents)
    flush()
    assert {p: copy for p, copy in copies().items() if copy == b"1"} == {here: b"1"}


def test_publisher_that_slept_changes_nothing(contents: list[Content], copies: Copies) -> None:
    name = f"pages.content:{contents[0].pk}"
    published.raise_counters({name: 5}, time.monotonic() - published.PATIENCE - 1)
    assert copies() == {"0": b"0", "1": b"0"}
    published.raise_counters({name: 5}, time.monotonic())
    published.raise_counters({name: 4}, time.monotonic())
    assert copies() == {"0": b"5", "1": b"5"}


def test_counts_do_not_need_the_copies(
    page: Page, contents: list[Content], settings: Settings, copies: Copies
) -> None:
    settings.EVENTLOG_URL = "redis://127.0.0.1:1"
    record(page, contents)

    flush()

    page.refresh_from_db()
    assert page.counter == 1
    settings.EVENTLOG_URL = os.environ["REDIS_URL"]
    record(page, contents)
    flush()
    assert copies() == {"0": b"2", "1": b"2"}


def test_without_redis_nothing_is_prepared(
    page: Page, contents: list[Content], settings: Settings
) -> None:
    lease = prepared.lease(Page, page.pk)
    assert lease is not None
    settings.EVENTLOG_URL = "redis://127.0.0.1:1"

    prepared.prepare(lease, page, contents, b"answer", contents)
    prepared.release(lease)

    assert prepared.lease(Page, page.pk) is None
    with pytest.raises(LogError):
        prepared.view(Page, page.pk)

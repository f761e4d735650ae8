"""From a view to an event: in the log, or in the spill."""

import json
import time

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall.eventlog import Entry, RedisLog, partition_of
from footfall.log import get_log
from footfall.models import Spilled
from footfall.record import Unacknowledged, record
from tests.support import databases
from tests.support.proxy import Fault, Proxy

pytestmark = pytest.mark.django_db


def entries(log: RedisLog) -> list[Entry]:
    return [entry for p in (0, 1) for entry in log.read(p, None, 1_000_000, 2**40).entries]


def test_a_view_is_one_event_with_every_id(
    log: RedisLog, page: Page, contents: list[Content]
) -> None:
    before = time.time_ns() // 1_000_000

    record(page, [*contents, contents[0]])

    (entry,) = entries(log)
    ids = [content.pk for content in contents]
    assert json.loads(entry.body) == {
        "type": "Viewed",
        "v": 1,
        "ids": {"pages.content": ids, "pages.page": [page.pk]},
    }
    assert before <= entry.at <= time.time_ns() // 1_000_000
    assert not Spilled.objects.exists()


def test_ten_thousand_contents_are_one_event(log: RedisLog, page: Page) -> None:
    record(page, [Content(pk=pk) for pk in range(1, 10_001)])

    (entry,) = entries(log)
    assert len(json.loads(entry.body)["ids"]["pages.content"]) == 10_000


def test_all_views_of_a_page_go_to_one_partition(log: RedisLog, page: Page) -> None:
    for _ in range(5):
        record(page)

    partition = partition_of(f"pages.page:{page.pk}", 2)
    assert log.length(partition) == 5
    assert log.length(1 - partition) == 0


def test_what_is_not_countable_is_an_error() -> None:
    with pytest.raises(TypeError, match="not countable"):
        record(get_user_model()(pk=1))


def test_while_redis_is_away_a_view_is_one_row(
    settings: Settings, page: Page, contents: list[Content]
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    for _ in range(3):
        record(page, contents)

    assert Spilled.objects.count() == 3
    assert not Spilled.objects.exclude(producer_id=None, sequence=None).exists()


def test_an_ambiguous_append_is_spilled_with_its_event_id(page: Page, proxy: Proxy) -> None:
    record(page)
    proxy.fault = Fault.SWALLOW

    record(page)

    row = Spilled.objects.get()
    proxy.fault = Fault.NONE
    assert row.event_id in [entry.event_id for entry in entries(get_log())]


def test_a_full_log_spills(settings: Settings, page: Page, contents: list[Content]) -> None:
    settings.COUNTERS_LOG_MAX_BYTES = 2 * 10_000
    log = get_log()

    for _ in range(300):
        record(page, contents)

    assert 0 < len(entries(log)) < 300
    assert len(entries(log)) + Spilled.objects.count() == 300


def test_a_failing_redis_spills(server: object, prefix: str, log: RedisLog, page: Page) -> None:
    """WRONGTYPE stands for every error reply: OOM, MISCONF, READONLY."""
    partition = partition_of(f"pages.page:{page.pk}", 2)
    server.set(f"{prefix}:{{{partition}}}:log", "in the way")  # type: ignore[attr-defined]

    record(page)

    assert Spilled.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_with_both_stores_away_the_view_is_not_acknowledged(
    settings: Settings, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    databases.take_away(monkeypatch)

    with pytest.raises(Unacknowledged):
        record(page)

    monkeypatch.undo()
    assert not Spilled.objects.exists()

"""From a view to an event: in the log, or in the spill."""

import logging
import time

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from catalog.pages.models import Content, Page
from footfall.eventlog import Entry, EventId, Log, RedisLog, partition_of
from footfall.events import decode
from footfall.log import get_log
from footfall.models import Spilled
from footfall.record import Unacknowledged, record
from tests.support import databases
from tests.support.proxy import Fault, Proxy

pytestmark = pytest.mark.django_db


def entries(log: Log) -> list[Entry]:
    return [entry for p in (0, 1) for entry in log.read(p, None, 1_000_000, 2**40).entries]


def test_a_view_is_one_event_with_every_id(
    log: RedisLog, page: Page, contents: list[Content]
) -> None:
    before = time.time_ns() // 1_000_000

    record(page, [*contents, contents[0]])

    (entry,) = entries(log)
    ids = [content.pk for content in contents]
    assert decode(entry.body) == {"pages.content": ids, "pages.page": [page.pk]}
    assert before <= entry.at <= time.time_ns() // 1_000_000
    assert not Spilled.objects.exists()


def test_ten_thousand_contents_are_one_event(log: RedisLog, page: Page) -> None:
    record(page, [Content(pk=pk) for pk in range(1, 10_001)])

    (entry,) = entries(log)
    assert decode(entry.body)["pages.content"] == list(range(1, 10_001))


def test_all_views_of_a_page_go_to_one_partition(log: RedisLog, page: Page) -> None:
    for _ in range(5):
        record(page)

    partition = partition_of(f"pages.page:{page.pk}", 2)
    assert log.length(partition) == 5
    assert log.length(1 - partition) == 0


def test_what_is_not_countable_is_an_error() -> None:
    with pytest.raises(TypeError, match="not countable"):
        record(get_user_model()(pk=1))


@pytest.mark.parametrize("saved", [True, False])
def test_a_target_that_is_not_saved_yet_is_an_error(log: RedisLog, page: Page, saved: bool) -> None:
    viewed, contents = (page, [Content()]) if saved else (Page(), [])

    with pytest.raises(ValueError, match="without a primary key: save it first"):
        record(viewed, contents)

    assert not entries(log)


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


@pytest.fixture
def committed(transactional_db: None) -> Page:
    """A page that other transactions see; this test's commit."""
    return Page.objects.create(title="A page")


def test_inside_a_transaction_a_view_is_recorded_at_its_commit(
    log: RedisLog, committed: Page
) -> None:
    with transaction.atomic():
        text = Content.objects.create(title="New")
        with transaction.atomic():
            record(committed, [text])
        began = time.time_ns() // 1_000_000
        time.sleep(0.002)
        assert not entries(log)

    (entry,) = entries(log)
    assert decode(entry.body) == {"pages.content": [text.pk], "pages.page": [committed.pk]}
    assert entry.at <= began  # it happened when it was viewed


def test_a_transaction_that_rolls_back_records_nothing(log: RedisLog, committed: Page) -> None:
    with transaction.atomic():
        record(committed)
        transaction.set_rollback(True)

    assert not entries(log)


def test_a_savepoint_that_rolls_back_records_nothing(log: RedisLog, committed: Page) -> None:
    with transaction.atomic():
        record(committed)
        with transaction.atomic():
            record(committed)
            transaction.set_rollback(True)

    assert len(entries(log)) == 1


def test_a_view_is_spilled_at_the_commit_while_redis_is_away(
    settings: Settings, committed: Page
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    with transaction.atomic():
        record(committed)
        assert not Spilled.objects.exists()

    assert decode(bytes(Spilled.objects.get().body)) == {"pages.page": [committed.pk]}


def test_an_unanswered_view_is_spilled_with_its_id_at_the_commit(committed: Page) -> None:
    with transaction.atomic():
        record(committed, unanswered_id=EventId(5, 7))
        assert not Spilled.objects.exists()

    assert Spilled.objects.get().event_id == EventId(5, 7)


def test_a_view_that_is_lost_at_the_commit_is_logged(
    settings: Settings,
    committed: Page,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    done: list[str] = []

    with transaction.atomic():
        record(committed)
        transaction.on_commit(lambda: databases.take_away(monkeypatch))
        record(committed, [Content(pk=5)])
        transaction.on_commit(lambda: done.append("the next hook"))

    monkeypatch.undo()
    lost = [one for one in caplog.records if one.name == "footfall.record"]
    assert [one.levelno for one in lost] == [logging.ERROR]
    assert f"{{'pages.content': [5], 'pages.page': [{committed.pk}]}}" in lost[0].getMessage()
    assert Spilled.objects.count() == 1
    assert done


def test_inside_a_transaction_of_a_test_case_hooks_are_called_as_the_test_asks(
    log: RedisLog,
    page: Page,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    """No view waits for the transaction that Django's TestCase has around each test."""
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            record(page)
        assert not entries(log)

    assert len(entries(log)) == 1

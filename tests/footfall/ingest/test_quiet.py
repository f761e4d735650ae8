"""What makes an ingest unnecessary, and what does not."""

import importlib.util
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from catalog.pages.models import Page
from footfall import events, flush, worker
from footfall.eventlog import Away, RedisLog
from footfall.ingest.quiet import FULL_LOOK_SECONDS, Quiet
from footfall.ingest.spill import spill
from footfall.log import forget_owner, get_log
from footfall.models import Partition, Segment
from footfall.projections.run import Projected
from footfall.record import record
from tests.support.concurrency import locked
from tests.support.views import AT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_log")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    forget_owner()  # that of another test: to find out takes an ingest
    monkeypatch.setattr(worker, "_quiet", Quiet(clock))
    monkeypatch.setattr(worker, "wake_projections", Mock())
    monkeypatch.setattr(worker._looks, "allows", lambda: False)
    return clock


@pytest.fixture
def ingests(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Counts what the worker ingests."""
    ingests = Mock(side_effect=flush.ingest)
    monkeypatch.setattr(worker, "ingest", ingests)
    return ingests


def test_while_nothing_comes_one_query_asks_for_it(
    ingests: Mock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    worker.wake()
    assert ingests.call_count == 1
    with django_assert_num_queries(1):
        worker.wake()
    assert ingests.call_count == 1
    worker.wake_projections.assert_called_with(is_quiet=True)  # type: ignore[attr-defined]


def test_after_a_failure_one_ingest_is_enough(
    ingests: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_failed", True)
    worker.wake()
    worker.wake()
    assert ingests.call_count == 1


def test_the_next_event_is_stored_at_once(page: Page, ingests: Mock) -> None:
    for number in range(1, 4):
        worker.wake()
        worker.wake()
        record(page)
        worker.wake()
        assert Segment.objects.count() == number
    worker.wake_projections.assert_called_with(is_quiet=False)  # type: ignore[attr-defined]


def test_what_was_spilled_is_seen(page: Page) -> None:
    worker.wake()
    spill(0, events.encode({"pages.page": [page.pk]}), AT)
    worker.wake()
    assert Segment.objects.get().events == 1


def test_now_and_then_it_looks_at_everything(page: Page, clock: Clock) -> None:
    """Positions that are lost are no event."""
    record(page)
    for _ in range(3):
        worker.wake()
    Partition.objects.all().delete()
    worker.wake()
    assert not Partition.objects.exists()
    clock.now += FULL_LOOK_SECONDS
    worker.wake()
    assert Partition.objects.exists()


def test_partitions_of_another_process_are_looked_at_again(
    ingests: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may die, and what is in them stays where it is."""
    Partition.objects.create(number=0)
    monkeypatch.setattr("footfall.flush.claim", lambda *_: [])
    worker.wake()
    worker.wake()
    assert ingests.call_count == 2


def test_an_ingest_that_failed_is_tried_again(
    ingests: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingests.side_effect = ValueError("broken")
    worker.wake()
    worker.wake()
    assert ingests.call_count == 2


def test_a_log_that_is_away_is_not_taken_for_quiet(
    ingests: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.wake()
    monkeypatch.setattr(RedisLog, "offsets", Mock(side_effect=Away("away")))
    worker.wake()
    assert ingests.call_count == 2


@pytest.mark.parametrize(
    ("projected", "is_woken"),
    [
        (Projected(), False),
        (Projected(waiting=["hourly:pages.page"]), True),
        (Projected(failed=["hourly:pages.page"]), True),
        (Projected(later=["hourly:pages.page"]), True),
    ],
)
def test_a_projection_that_is_behind_is_woken_without_events(
    projected: Projected, is_woken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "project", lambda kinds: projected)
    hourly = worker.Background("hourly")
    hourly._project(1)
    assert hourly.is_behind is is_woken


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_ends_no_thread(page: Page, ingests: Mock) -> None:
    """The step before has found that the server has closed it: the driver has no word for the
    next question but InterfaceError.
    """
    worker.wake()
    connection.ensure_connection()
    driver: Any = connection.connection
    getattr(driver, "_force_close", driver.close)()  # PyMySQL refuses a second close
    try:
        worker.wake()
    finally:
        connection.close()  # as `close_old_connections` before each wake-up
    record(page)

    worker.wake()

    assert Segment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no locks of rows")
def test_partitions_that_no_setting_has_stand_for_no_others(
    page: Page, settings: Settings, ingests: Mock
) -> None:
    """There were more of them once. What another process holds may be left by it."""
    settings.COUNTERS_PARTITIONS = 2
    Partition.objects.bulk_create(Partition(number=number) for number in range(4))
    record(page)
    with locked(Partition.objects.filter(number__lt=2)):
        worker.wake()
    assert not Segment.objects.exists()

    worker.wake()

    assert Segment.objects.count() == 1


def test_a_worker_that_starts_takes_back_what_one_that_ended_could_not_store() -> None:
    """As of an earlier version after the migrations: `/readyz` would be 503 for a minute."""
    get_log().note_failure("NotNullViolation: of the version before")
    spec = importlib.util.spec_from_file_location("started", worker.__file__)
    assert spec
    assert spec.loader
    started = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(started)

    started.note_ingest("")

    assert get_log().failure() == ""

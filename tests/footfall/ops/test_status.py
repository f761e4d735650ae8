import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from catalog.pages.models import Content, Page
from footfall import events
from footfall.eventlog import RedisLog
from footfall.flush import flush, ingest, project
from footfall.ingest.spill import spill
from footfall.models import Carried, DeadLetter, Projection, Segment, Spilled
from footfall.ops.facts import gather
from footfall.ops.health import is_idle
from footfall.ops.lag import read_projections
from footfall.ops.status import LOG_TIMEOUT, status
from footfall.projections.batch import read_batch
from footfall.projections.rows import BEGINNING
from footfall.record import record
from footfall.registry import content_type_of
from tests.support.proxy import Fault, Proxy
from tests.support.views import AT, store_views

pytestmark = pytest.mark.django_db

MOMENT = timedelta(seconds=5)
HOUR = timedelta(hours=1)


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def run(command: str) -> str:
    out = StringIO()
    call_command("counters", command, stdout=out)
    return out.getvalue()


def test_pending_is_what_is_not_counted_yet(log: RedisLog, contents: list[Content]) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 5)
    flush()
    store_views(log, *[(AT, [contents[0].pk])] * 3)
    store_views(log, *[(AT, [contents[0].pk])] * 2, partition=1)
    spill(0, b"", AT)

    now = status()

    assert [one.undelivered for one in now.partitions] == [3, 2]
    assert now.spilled == 1
    assert now.pending == 6
    assert now.partitions[0].oldest_seconds is not None
    assert now.partitions[0].oldest_seconds < 3600  # since it came, whatever its time
    assert now.partitions[0].rate == pytest.approx(5 / 60)


def test_after_a_flush_nothing_is_pending(page: Page, contents: list[Content]) -> None:
    record(page, contents)
    flush()

    now = status()

    assert now.pending == 0
    assert [one.oldest_seconds for one in now.partitions] == [None, None]


def test_the_commands_speak(page: Page, contents: list[Content]) -> None:
    for _ in range(3):
        record(page, contents)

    assert run("flush") == "3 events counted\n"
    lines = run("status").splitlines()
    assert lines[0].split()[:2] == ["partition", "undelivered"]
    assert [line.split()[1] for line in lines[1:3]] == ["0", "0"]
    assert lines[-1] == "spilled: 0   dead letters: 0"


def test_without_redis_the_rest_is_shown(settings: Settings) -> None:
    flush()
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    now = status()

    assert now.pending is None
    assert now.log_error
    with pytest.raises(CommandError, match="The log is away"):
        run("status")
    with pytest.raises(CommandError, match="The log is away"):
        run("flush")


def test_before_the_first_flush_events_wait_all_the_same(
    log: RedisLog, contents: list[Content]
) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 3)

    assert status().pending == 3


def test_views_are_in_up_to_the_oldest_that_waits(server: Redis, prefix: str) -> None:
    before = timezone.now()
    assert status().as_of == pytest.approx(before, abs=timedelta(seconds=5))

    spill(1, b"", AT)
    Spilled.objects.update(inserted_at=before - HOUR / 2)
    assert status().as_of == pytest.approx(before - HOUR / 2, abs=MOMENT)

    wait_in_log(server, prefix, HOUR, at=before)
    assert status().as_of == pytest.approx(before - HOUR, abs=MOMENT)


def wait_in_log(server: Redis, prefix: str, age: timedelta, at: datetime) -> None:
    """Append an event as Redis did so long ago; at: when it happened, by its web server's clock."""
    seconds, _ = server.time()
    entry: Any = {"s": 1, "n": 1, "t": int(at.timestamp() * 1000), "o": 1, "b": "?"}
    entry_id = f"{int(seconds - age.total_seconds()) * 1000}-0"
    server.xadd(f"{prefix}:{{0}}:log", entry, id=entry_id)


def test_a_web_clock_that_is_ahead_makes_nothing_look_younger(server: Redis, prefix: str) -> None:
    """Once they are stored, events are as old as their segment, at least."""
    now = timezone.now()
    wait_in_log(server, prefix, HOUR, at=now + HOUR)
    with mock.patch("django.utils.timezone.now", return_value=now + HOUR):
        found = status()

    assert found.partitions[0].oldest_seconds == pytest.approx(3600, abs=60)
    assert found.as_of == pytest.approx(now - HOUR, abs=MOMENT)


def test_a_spilled_event_waits_since_it_was_spilled() -> None:
    now = timezone.now()
    spill(0, b"", int((now + HOUR).timestamp() * 1000))
    Spilled.objects.update(inserted_at=now - HOUR)

    assert status().spilled_oldest_seconds == pytest.approx(3600, abs=60)


def test_a_redis_whose_clock_was_set_back_asks_the_producer(server: Redis, prefix: str) -> None:
    now = timezone.now()
    wait_in_log(server, prefix, -HOUR, at=now - HOUR / 2)

    assert status().as_of == pytest.approx(now - HOUR / 2, abs=MOMENT)


def test_a_stored_event_has_waited_since_it_was_stored_at_least(
    log: RedisLog, contents: list[Content]
) -> None:
    now = timezone.now()
    store_views(log, (int((now + HOUR).timestamp() * 1000), [contents[0].pk]))
    ingest()
    Segment.objects.update(stored_at=now - HOUR)

    found = status()

    assert found.oldest_seconds == pytest.approx(3600, abs=60)
    assert found.as_of_in("pages.content") == pytest.approx(now - HOUR, abs=MOMENT)
    assert read_batch(BEGINNING, 100).since <= (now - HOUR).timestamp() * 1000


def test_the_web_servers_own_clock_tells_nothing(page: Page) -> None:
    record(page)
    flush()
    now = timezone.now()
    with mock.patch("django.utils.timezone.now", return_value=now + HOUR):
        assert status().as_of == pytest.approx(now, abs=MOMENT)
        assert gather().now == pytest.approx(now, abs=MOMENT)
        assert not is_idle(status().flushed_at, gather().now)


def test_an_entry_without_a_time_breaks_nothing(server: Redis, prefix: str) -> None:
    flush()
    for at in (-1, 2**62):
        server.xadd(f"{prefix}:{{0}}:log", {"s": 1, "n": 1, "t": at, "o": 1, "b": "?"})
        assert status().as_of is not None
        server.delete(f"{prefix}:{{0}}:log")


def test_a_redis_that_hangs_is_not_waited_for(proxy: Proxy, page: Page) -> None:
    flush()
    proxy.fault = Fault.SWALLOW
    began = time.monotonic()

    now = status()

    assert time.monotonic() - began < LOG_TIMEOUT + 1
    assert (now.pending, now.as_of) == (None, None)
    assert now.log_error == "no answer within 1 s"


def test_dead_letters_are_told_by_partition() -> None:
    for partition in (1, 1, 5):
        DeadLetter.objects.create(partition=partition, at=AT, body=b"?", reason="not JSON")

    now = status()

    assert [one.dead_letters for one in now.partitions] == [0, 2]
    assert now.dead_letters == 3


def test_events_that_are_stored_and_not_counted_still_wait(
    log: RedisLog, contents: list[Content]
) -> None:
    flush()
    store_views(log, *[(AT + 500, [contents[0].pk]), (AT, [contents[1].pk])])
    ingest()

    stored = status()

    assert (stored.unstored, stored.pending, stored.pending_in("pages.content")) == (0, 2, 2)
    assert stored.as_of == stored.as_of_in("pages.content") == pytest.approx(at(AT), abs=MOMENT)
    assert stored.stored_events == 2
    lags = {one.name: (one.lag_events, one.lag_seconds > 0) for one in stored.projections}
    assert lags["totals:pages.content"] == lags["hourly:pages.content"] == (2, True)

    project(force=True)

    counted = status()
    assert counted.pending == 0
    assert counted.as_of == pytest.approx(timezone.now(), abs=MOMENT)
    assert not any(one.lag_events or one.lag_seconds for one in counted.projections)


def test_an_old_event_in_a_later_segment_is_seen(log: RedisLog, contents: list[Content]) -> None:
    """The spill, or a partition that was behind, brings one."""
    for at_ms in (AT + 5000, AT):
        store_views(log, (at_ms, [contents[0].pk]))
        ingest()

    assert status().as_of == pytest.approx(at(AT), abs=MOMENT)


def test_views_by_the_hour_have_a_time_of_their_own(log: RedisLog, contents: list[Content]) -> None:
    store_views(log, (AT - 1000, [contents[0].pk]))
    flush()
    store_views(log, (AT, [contents[0].pk]))
    ingest()
    project()  # the views by the hour are not due yet

    now = status()

    assert (now.pending, now.pending_in("pages.content")) == (0, 0)
    assert now.as_of == pytest.approx(timezone.now(), abs=MOMENT)
    assert now.series_as_of == now.series_as_of_in("pages.content")
    assert now.series_as_of == pytest.approx(at(AT), abs=MOMENT)


def test_carried_over_views_wait_for_the_counters_of_their_model(
    page: Page, contents: list[Content]
) -> None:
    record(page, contents)
    flush()
    Carried.objects.create(
        content_type=content_type_of(Content), target_id=contents[0].pk, views=3, since=AT
    )

    now = status()

    assert (now.pending, now.pending_in("pages.content"), now.pending_in("pages.page")) == (3, 3, 0)
    assert now.as_of == now.as_of_in("pages.content") == pytest.approx(at(AT), abs=MOMENT)
    assert now.as_of_in("pages.page") == pytest.approx(timezone.now(), abs=MOMENT)
    assert now.series_as_of == pytest.approx(timezone.now(), abs=MOMENT)
    assert {one.name: one.carried_views for one in now.projections if one.carried_views} == {
        "totals:pages.content": 3
    }


def test_of_a_model_that_was_never_viewed_only_the_log_is_known(page: Page) -> None:
    record(page)

    assert status().pending_in("pages.content") == status().pending_in("shop.item") == 1


def test_a_projection_of_an_unknown_model_is_shown(log: RedisLog) -> None:
    log.append(0, events.encode({"shop.item": [1]}), AT)
    flush()

    shown = [one for one in status().projections if one.label == "shop.item"]

    assert [(one.name, one.lag_events, one.is_known) for one in shown] == [
        ("hourly:shop.item", 1, False),
        ("totals:shop.item", 1, False),
        ("visitors:shop.item", 0, False),  # nobody is known to be a person
    ]
    assert status().pending == status().pending_in("shop.item") == 1
    assert status().pending_in("pages.content") == 0


def test_corrupt_segments_are_named(page: Page) -> None:
    record(page)
    flush()
    assert status().corrupt_segments == []
    Segment.objects.update(corrupt_at=timezone.now())

    assert status().corrupt_segments == [1]
    assert "corrupt segments: 1" in run("status")


def test_any_number_of_projections_is_read_at_once(
    page: Page, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    record(page)
    ingest()
    rows = [Projection(name=f"totals:shop.item{n}") for n in range(30)]
    Projection.objects.bulk_create(rows)

    with django_assert_num_queries(2):
        assert len(read_projections()) >= 30


def test_the_command_tells_how_far_projections_are(page: Page) -> None:
    record(page)
    flush()
    record(page)
    ingest()
    Projection.objects.filter(name="hourly:pages.page").update(
        failed_at=timezone.now(), error="no room"
    )

    lines = run("status").splitlines()

    (header,) = (number for number, line in enumerate(lines) if line.startswith("projection"))
    (hourly,) = (line for line in lines[header:] if line.startswith("hourly:pages.page"))
    assert hourly.split()[1] == "1"
    assert hourly.endswith("no room")

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from catalog.pages.models import Content, Page
from footfall import tasks
from footfall.eventlog import RedisLog
from footfall.flush import flush
from footfall.models import (
    Adjustment,
    Audit,
    HourTotal,
    Partition,
    ProducerState,
    Projection,
    Rollup,
    Segment,
    Spilled,
)
from footfall.ops.adjust import adjust
from footfall.ops.audit import run as auditing
from footfall.ops.audit.invariants import broken_producer_states, broken_spill
from footfall.ops.audit.run import (
    KEPT_LINES,
    broken_positions,
    broken_totals,
    differences,
    run_audit,
)
from footfall.ops.workers import Workers
from footfall.record import record
from footfall.recount import comparison
from footfall.recount.comparison import Difference
from tests.support.views import AT, HOUR, Answering, Counts, store_views

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted(page: Page, contents: list[Content], answering: Answering) -> None:
    answering(Workers())
    for _ in range(3):
        record(page, contents)
    flush()


def audit(*options: str) -> str:
    out = StringIO()
    call_command("counters", "audit", *options, stdout=out)
    return out.getvalue()


def test_what_was_only_counted_is_clean() -> None:
    assert "clean" in audit()


def test_a_small_audit_asks_little(
    contents: list[Content], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(100):
        assert not list(run_audit(Audit()))


def test_a_counter_that_differs_is_named(contents: list[Content]) -> None:
    Content.objects.filter(pk=contents[1].pk).update(counter=7)

    assert list(differences()) == [Difference("pages.content", contents[1].pk, 7, 3)]
    with pytest.raises(CommandError, match="1 counters differ"):
        audit()


def test_a_counter_without_any_rollup_differs(contents: list[Content]) -> None:
    Rollup.objects.all().delete()

    assert len(list(differences())) == 4


def test_repair_sets_what_the_events_say(contents: list[Content], counts: Counts) -> None:
    Content.objects.filter(pk=contents[1].pk).update(counter=7)

    assert "set to 3" in audit("--repair")
    assert counts() == [3, 3, 3]
    assert "clean" in audit()


def test_totals_that_are_not_the_sum_of_the_rollups_are_reported() -> None:
    assert not list(broken_totals())
    HourTotal.objects.update(views=F("views") + 1)

    assert sorted(broken_totals()) == [
        "Pages | content: 9 views in the rollups, 10 in the totals",
        "Pages | page: 3 views in the rollups, 4 in the totals",
    ]


def test_totals_are_compared_day_by_day(log: RedisLog, contents: list[Content]) -> None:
    day = 24 * HOUR
    store_views(log, *[(AT + n * day, [contents[0].pk]) for n in range(3)])
    flush()
    assert not list(broken_totals())
    middle = datetime.fromtimestamp((AT + day) / 1000, UTC)
    HourTotal.objects.filter(hour=middle).update(views=7)
    Rollup.objects.filter(hour=middle + timedelta(days=1)).update(hour=middle + timedelta(days=9))

    assert sorted(broken_totals()) == [
        f"Pages | content from {middle:%Y-%m-%d}: 1 views in the rollups, 7 in the totals",
    ]


@pytest.mark.parametrize("chunk_size", [1, 2, 3])
def test_targets_are_compared_range_by_range(
    contents: list[Content], monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(comparison, "CHUNK_SIZE", chunk_size)
    Content.objects.filter(pk__in=[one.pk for one in contents]).update(counter=7)
    told: list[tuple[str, int, int]] = []

    found = list(differences(lambda *progress: told.append(progress)))

    assert [one.target for one in found] == [content.pk for content in contents]
    last = contents[-1].pk
    assert [progress for progress in told if progress[0] == "pages.content"][-1][1:] == (last, last)


def test_partitions_that_took_something_else_are_reported() -> None:
    Partition.objects.filter(number=0).update(events=F("events") + 2)

    with pytest.raises(CommandError, match="1 invariants are broken"):
        audit()


def test_a_corrupt_segment_is_named() -> None:
    Segment.objects.update(corrupt_at=timezone.now())

    with pytest.raises(CommandError, match="1 invariants are broken"):
        audit()

    *unknown, corrupt = Audit.objects.get().lines
    assert corrupt == "segment 1: corrupt, 3 events cannot be read"
    assert [line for line in unknown if "which may be right" not in line] == []


def test_a_projection_without_a_place_in_the_store_is_named() -> None:
    Projection.objects.filter(name="hourly:pages.content").update(key=1)

    with pytest.raises(CommandError, match="0 counters differ"):
        audit("--repair")

    lines = Audit.objects.get().lines
    assert "projection hourly:pages.content: the event store has no segment 1 of its key" in lines


def test_producer_states_and_spilled_events_that_cannot_be_are_reported() -> None:
    ProducerState.objects.create(producer_id=1, partition=99, sequence=0, updated_at=timezone.now())
    spilled = Spilled.objects.create(partition=0, producer_id=1, at=AT, body=b"")

    assert list(broken_producer_states()) == ["producer state 1/99: 0: invalid"]
    assert list(broken_spill()) == [
        f"spilled event {spilled.pk}: it has a producer id or a sequence only"
    ]


def test_progress_is_shown_on_a_terminal(contents: list[Content]) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    call_command("counters", "audit", stdout=StringIO(), stderr=err)

    last = contents[-1].pk
    assert f"[{'#' * 40}] {last:,}/{last:,}\n" in err.getvalue()


def test_adjustments_belong_to_the_sum(contents: list[Content]) -> None:
    Adjustment.objects.create(
        content_type=ContentType.objects.get_for_model(Content),
        target_id=contents[0].pk,
        amount=-2,
        reason="a robot",
    )

    assert [str(difference) for difference in differences()] == [
        f"pages.content {contents[0].pk}: counter 3, rollups say 1"
    ]
    audit("--repair")
    assert Content.objects.get(pk=contents[0].pk).counter == 1


def test_a_log_that_was_trimmed_above_its_position_is_reported(
    log: RedisLog, contents: list[Content], settings: Settings
) -> None:
    settings.COUNTERS_LOG_RETENTION_BYTES = 2
    store_views(log, *[(AT, [contents[0].pk])] * 250)
    flush()
    Partition.objects.filter(number=0).update(position="1-1", sequence=1)
    ProducerState.objects.filter(partition=0).update(sequence=1)

    with pytest.raises(CommandError, match="1 invariants are broken"):
        audit("--repair")


def test_a_position_that_moves_meanwhile_is_no_finding(
    log: RedisLog, contents: list[Content], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush may come between the look at the position and the look at the log."""
    settings.COUNTERS_LOG_RETENTION_BYTES = 2
    store_views(log, *[(AT, [contents[0].pk])] * 250)
    flush()
    Partition.objects.filter(number=0).update(position="1-1")
    ProducerState.objects.filter(partition=0).update(sequence=1)
    stale = list(Partition.objects.order_by("number"))
    Partition.objects.filter(number=0).update(position="1-2")

    monkeypatch.setattr(type(Partition.objects.all()), "__iter__", lambda self: iter(stale))

    assert not list(broken_positions())


def test_a_producer_state_that_went_down_is_reported() -> None:
    ProducerState.objects.update(sequence=0)

    assert [line for line in broken_positions() if "went down" in line]


def test_an_audit_without_redis_says_so(settings: Settings) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    with pytest.raises(CommandError, match="The log is away"):
        audit()

    kept = Audit.objects.get()
    assert not kept.is_clean
    assert kept.error
    assert kept.finished_at


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError, BrokenPipeError])
def test_an_audit_that_was_interrupted_is_not_clean(
    monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    def interrupt() -> None:
        raise end

    monkeypatch.setattr(auditing, "CHECKS", [interrupt])

    with pytest.raises(end):
        audit()

    kept = Audit.objects.get()
    assert not kept.is_clean
    assert kept.error == end.__name__


def test_an_audit_whose_reader_goes_away_is_not_clean(contents: list[Content]) -> None:
    Content.objects.filter(pk=contents[1].pk).update(counter=7)
    lines = run_audit(Audit(), repair=True)
    assert next(lines).endswith("set to 3")

    lines.close()  # type: ignore[attr-defined]

    assert not Audit.objects.get().is_clean


def test_a_counter_that_cannot_be_repaired_does_not_stop_the_repair_of_others(
    contents: list[Content], counts: Counts
) -> None:
    Content.objects.filter(pk=contents[0].pk).update(counter=1_200)
    adjust(Content, contents[0].pk, to=0, why="written past the rollups, then reset")
    Content.objects.filter(pk=contents[1].pk).update(counter=7)

    with pytest.raises(CommandError, match="2 counters differ"):
        audit("--repair")

    assert counts() == [0, 3, 3]
    assert Audit.objects.get().lines == [
        f"pages.content {contents[0].pk}: counter 0, events say -1197; not repaired: below 0",
        f"pages.content {contents[1].pk}: counter 7, events say 3; set to 3",
    ]


def test_the_result_is_kept(contents: list[Content]) -> None:
    audit()
    Content.objects.filter(pk=contents[1].pk).update(counter=7)
    with pytest.raises(CommandError):
        audit()
    audit("--repair")

    clean, wrong, repaired = Audit.objects.order_by("pk")
    assert [one.is_clean for one in (clean, wrong, repaired)] == [True, False, True]
    assert wrong.lines == [f"pages.content {contents[1].pk}: counter 7, events say 3"]
    assert repaired.lines == [f"{wrong.lines[0]}; set to 3"]
    assert (repaired.differences, repaired.repaired) == (1, True)


def test_of_many_differences_the_first_are_kept(contents: list[Content]) -> None:
    Content.objects.bulk_create(Content(title="Wrong") for _ in range(KEPT_LINES + 5))
    Content.objects.filter(title="Wrong").update(counter=1)

    with pytest.raises(CommandError, match=f"{KEPT_LINES + 5} counters differ"):
        audit()

    assert len(Audit.objects.get().lines) == KEPT_LINES


ASK = reverse("admin:counters_dashboard_audit")
HEALTH = reverse("admin:counters_dashboard_health")


def test_an_audit_is_queued_and_run_by_a_worker(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int]] = []
    monkeypatch.setattr(tasks.audit, "apply_async", lambda args, **options: sent.append(args))

    answer = admin_client.post(ASK, follow=True)

    assert "The audit was queued." in answer.content.decode()
    assert re.search(r"An audit was queued \d+ s ago\.", admin_client.get(HEALTH).content.decode())
    queued = Audit.objects.get()
    assert queued.requested_by
    assert (queued.requested_by.username, queued.started_at) == ("admin", None)
    assert sent == [(queued.pk,)]

    tasks.audit(*sent[0])

    queued.refresh_from_db()
    assert queued.is_clean
    assert re.search(r"Clean, \d+ s ago", admin_client.get(HEALTH).content.decode())


def test_what_an_audit_found_is_shown(admin_client: Client, contents: list[Content]) -> None:
    Content.objects.filter(pk=contents[1].pk).update(counter=7)
    with pytest.raises(CommandError):
        audit()

    shown = admin_client.get(HEALTH).content.decode()

    assert re.search(r"1 counters and 0 positions are wrong, \d+ s ago", shown)
    assert f"pages.content {contents[1].pk}: counter 7, events say 3" in shown
    assert 'data-level="red"' in shown


def test_an_audit_goes_through_the_broker(server: Redis) -> None:
    before = server.llen("celery")

    assert tasks.request_audit(None)

    assert server.llen("celery") == before + 1
    server.rpop("celery")


def test_an_audit_that_cannot_be_queued_is_not_waited_for(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(tasks.audit, "apply_async", refuse)

    answer = admin_client.post(ASK, follow=True)

    assert "broker does not answer" in answer.content.decode()
    assert not Audit.objects.exists()


def test_an_audit_is_queued_by_post_only(admin_client: Client) -> None:
    assert admin_client.get(ASK).status_code == 405

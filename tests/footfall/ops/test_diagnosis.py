"""What is said about what was read. Pure: no store is asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from footfall.models import Audit, Partition
from footfall.ops.diagnosis import Facts, Level, diagnose
from footfall.ops.status import PartitionStatus, Status
from footfall.ops.workers import Workers

NOW = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
WELL = Facts(
    now=NOW,
    status=Status(NOW, [], 0, None, 0, ""),
    workers=Workers({"flusher@a": ["counters"], "worker@a": ["celery"]}),
    default_queue="celery",
    is_scheduled=True,
    last_tick=NOW - timedelta(seconds=4),
    audit=None,
)


def said(facts: Facts) -> list[str]:
    return [f"{finding.level}: {finding.what}" for finding in diagnose(facts)]


def with_status(
    undelivered: int | None = 0,
    oldest: float | None = None,
    flushed: float = 1.0,
    **changes: Any,
) -> Facts:
    """Return the facts with one partition, flushed so many seconds ago, and the changes."""
    partition = Partition(number=0, flushed_at=NOW - timedelta(seconds=flushed))
    status = replace(
        WELL.status, partitions=[PartitionStatus(partition, undelivered, oldest, 0.0, 0)]
    )
    return replace(WELL, status=replace(status, **changes))


def test_when_all_is_well_nothing_is_said() -> None:
    assert said(WELL) == []
    assert said(with_status(3, oldest=0.5)) == []


def test_events_that_wait_while_nothing_is_flushed_are_a_stall() -> None:
    assert said(with_status(1200, oldest=75, flushed=70)) == [
        "red: Counting has stalled: 1,200 events wait, the oldest for 1 min."
    ]


def test_a_clock_that_was_set_back_hides_no_stall() -> None:
    facts = replace(with_status(3, oldest=20, flushed=-3600), workers=Workers())

    assert [finding.level for finding in diagnose(facts)][:2] == [Level.RED, Level.RED]
    assert said(facts)[0] == "red: Counting has stalled: 3 events wait, the oldest for 20 s."


def test_the_first_event_after_a_quiet_night_is_not_a_stall() -> None:
    assert said(with_status(1, oldest=1, flushed=30_000)) == []


def test_a_partition_that_is_stuck_beside_others_is_a_stall() -> None:
    stuck = with_status(2, oldest=40, flushed=39).status.partitions
    alive = with_status(1, oldest=0.5).status.partitions
    both = replace(WELL, status=replace(WELL.status, partitions=stuck + alive))

    assert said(both) == ["red: Counting has stalled: 2 events wait, the oldest for 40 s."]


def test_events_that_wait_while_others_are_flushed_are_a_delay() -> None:
    assert said(with_status(5, oldest=11)) == [
        "amber: Counting is behind: 5 events wait, the oldest for 11 s."
    ]


def test_a_spill_that_nobody_drains_is_a_stall() -> None:
    facts = with_status(flushed=60, spilled=7, spilled_oldest_seconds=50.0)

    assert said(facts) == ["red: Counting has stalled: 7 events wait, the oldest for 50 s."]


def test_redis_away_is_said_once() -> None:
    away = with_status(None, log_error="Connection refused")

    assert said(replace(away, workers=Workers(error="Connection refused"))) == [
        "red: Redis does not answer: Connection refused"
    ]


def test_without_a_worker_nothing_is_counted() -> None:
    only_other = replace(with_status(flushed=9), workers=Workers({"worker@a": ["celery"]}))

    (finding,) = diagnose(only_other)

    assert finding.level is Level.RED
    assert finding.what == "No worker serves the queue “counters”, so nothing is counted."
    assert "celery worker --queues counters" in finding.advice


def test_a_worker_that_has_just_flushed_was_only_too_busy_to_answer() -> None:
    assert said(replace(with_status(), workers=Workers({"worker@a": ["celery"]}))) == []


def test_the_other_worker_is_missed_too() -> None:
    assert said(replace(WELL, workers=Workers({"flusher@a": ["counters"]}))) == [
        "amber: No worker serves the queue “celery”."
    ]


def test_a_broker_that_does_not_answer_is_not_a_missing_worker() -> None:
    assert said(replace(WELL, workers=Workers(error="refused"))) == [
        "amber: The workers could not be asked: refused"
    ]


@pytest.mark.parametrize(
    ("last_tick", "what"),
    [
        (NOW - timedelta(seconds=14), "Beat sends no ticks; the last one came 14 s ago."),
        (NOW + timedelta(hours=1), "Beat sends no ticks; the last one came 1 h ago."),
        (None, "Beat has never sent a tick."),
    ],
)
def test_beat_is_missed(last_tick: datetime | None, what: str) -> None:
    assert said(replace(WELL, last_tick=last_tick)) == [f"red: {what}"]


def test_a_schedule_that_is_switched_off_is_named() -> None:
    (finding,) = diagnose(replace(WELL, is_scheduled=False, last_tick=None))

    assert finding.what == "The flush is not scheduled, or its schedule is switched off."
    assert finding.route == "admin:django_celery_beat_periodictask_changelist"


def test_events_set_aside_come_after_what_is_worse() -> None:
    facts = replace(with_status(dead_letters=1), last_tick=None)

    assert said(facts) == [
        "red: Beat has never sent a tick.",
        "amber: 1 event could not be counted and was set aside.",
    ]


@pytest.mark.parametrize(
    ("audit", "expected"),
    [
        (Audit(), []),
        (Audit(finished_at=NOW), []),
        (Audit(finished_at=NOW, differences=3, repaired=True), []),
        (
            Audit(finished_at=NOW, differences=3),
            ["red: The last audit found 3 counters and 0 positions that are wrong."],
        ),
        (
            Audit(finished_at=NOW, error="refused"),
            ["amber: The last audit could not be carried out: refused"],
        ),
    ],
)
def test_the_last_audit_is_told(audit: Audit, expected: list[str]) -> None:
    assert said(replace(WELL, audit=audit)) == expected


def test_what_a_store_has_lost_is_told_for_a_week() -> None:
    partition = Partition(number=0, flushed_at=NOW, missing=12, missed_at=NOW - timedelta(days=2))
    lost = with_status(partitions=[PartitionStatus(partition, 0, None, 0.0, 0)])

    assert said(lost) == ["amber: At least 12 events were lost inside a store."]
    assert said(replace(lost, now=NOW + timedelta(days=5, seconds=1))) != said(lost)

"""Findings from facts. Pure: no store is used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from footfall.eventlog import Condition
from footfall.models import Audit, Partition
from footfall.ops.facts import Audits, Beat, Facts
from footfall.ops.health import Level, find_problems
from footfall.ops.lag import ProjectionStatus
from footfall.ops.status import PartitionStatus, Status
from footfall.ops.workers import Workers

NOW = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
HEALTHY = Facts(
    now=NOW,
    status=Status(NOW, [], 0, None, 0, ""),
    workers=Workers({"flusher@a": ["counters"], "worker@a": ["celery"]}),
    default_queue="celery",
    beat=Beat(is_scheduled=True, last_tick=NOW - timedelta(seconds=4)),
    audits=Audits(),
)


def said(facts: Facts) -> list[str]:
    return [f"{finding.level}: {finding.what}" for finding in find_problems(facts)]


def with_status(
    undelivered: int | None = 0,
    oldest: float | None = None,
    flushed: float = 1.0,
    **changes: Any,
) -> Facts:
    """Return the facts with one partition, flushed so many seconds ago, and the changes."""
    partition = Partition(number=0, flushed_at=NOW - timedelta(seconds=flushed))
    status = replace(
        HEALTHY.status, partitions=[PartitionStatus(partition, undelivered, oldest, 0.0, 0)]
    )
    return replace(HEALTHY, status=replace(status, **changes))


def test_when_all_is_well_nothing_is_said() -> None:
    assert said(HEALTHY) == []
    assert said(with_status(3, oldest=0.5)) == []


def test_events_that_wait_while_nothing_is_flushed_are_a_stall() -> None:
    assert said(with_status(1200, oldest=75, flushed=70)) == [
        "red: Counting has stalled: 1,200 events wait, the oldest for 1 min."
    ]


def test_a_clock_that_was_set_back_hides_no_stall() -> None:
    facts = replace(with_status(3, oldest=20, flushed=-3600), workers=Workers())

    assert [finding.level for finding in find_problems(facts)][:2] == [Level.RED, Level.RED]
    assert said(facts)[0] == "red: Counting has stalled: 3 events wait, the oldest for 20 s."


def test_the_first_event_after_a_quiet_night_is_not_a_stall() -> None:
    assert said(with_status(1, oldest=1, flushed=30_000)) == []


def test_a_partition_that_is_stuck_beside_others_is_a_stall() -> None:
    stuck = with_status(2, oldest=40, flushed=39).status.partitions
    alive = with_status(1, oldest=0.5).status.partitions
    both = replace(HEALTHY, status=replace(HEALTHY.status, partitions=stuck + alive))

    assert said(both) == ["red: Counting has stalled: 2 events wait, the oldest for 40 s."]


def test_events_that_wait_while_others_are_flushed_are_a_delay() -> None:
    assert said(with_status(5, oldest=11)) == [
        "amber: Counting is behind: 5 events wait, the oldest for 11 s."
    ]


def test_a_spill_that_is_not_drained_is_a_stall() -> None:
    facts = with_status(flushed=60, spilled=7, spilled_oldest_seconds=50.0)

    assert said(facts) == ["red: Counting has stalled: 7 events wait, the oldest for 50 s."]


def test_redis_away_is_said_once() -> None:
    away = with_status(None, log_error="Connection refused")

    assert said(replace(away, workers=Workers(error="Connection refused"))) == [
        "red: Redis does not answer: Connection refused"
    ]


EVICTING = "red: Redis may evict the log, and so lose views: its maxmemory-policy is allkeys-lru."


@pytest.mark.parametrize(
    ("redis", "expected"),
    [
        (Condition("allkeys-lru"), EVICTING),
        (Condition("allkeys-lru", 1), f"{EVICTING} It has evicted 1 key."),
        (Condition("allkeys-lru", 1200), f"{EVICTING} It has evicted 1,200 keys."),
        (Condition(refusal="MISCONF disk"), "red: Redis refuses to write: MISCONF disk"),
    ],
)
def test_what_redis_says_of_itself_is_told(redis: Condition, expected: str) -> None:
    assert said(with_status(redis=redis)) == [expected]


def test_without_a_worker_nothing_is_counted() -> None:
    only_other = replace(with_status(flushed=9), workers=Workers({"worker@a": ["celery"]}))

    (finding,) = find_problems(only_other)

    assert finding.level is Level.RED
    assert finding.what == "No worker serves the queue “counters”, so nothing is counted."
    assert "celery worker --queues counters" in finding.advice


def test_a_worker_that_has_just_flushed_was_only_too_busy_to_answer() -> None:
    assert said(replace(with_status(), workers=Workers({"worker@a": ["celery"]}))) == []


def test_the_other_worker_is_missed_too() -> None:
    assert said(replace(HEALTHY, workers=Workers({"flusher@a": ["counters"]}))) == [
        "amber: No worker serves the queue “celery”."
    ]


def test_a_broker_that_does_not_answer_is_not_a_missing_worker() -> None:
    assert said(replace(HEALTHY, workers=Workers(error="refused"))) == [
        "amber: The workers could not be queried: refused"
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
    assert said(replace(HEALTHY, beat=Beat(True, last_tick))) == [f"red: {what}"]


def test_a_schedule_that_is_switched_off_is_named() -> None:
    (finding,) = find_problems(replace(HEALTHY, beat=Beat(False, None)))

    assert finding.what == "The flush is not scheduled, or its periodic task is disabled."
    assert finding.route == "admin:django_celery_beat_periodictask_changelist"


def test_dead_letters_come_after_what_is_worse() -> None:
    facts = replace(with_status(dead_letters=1), beat=Beat(True, None))

    assert said(facts) == [
        "red: Beat has never sent a tick.",
        "amber: 1 event could not be counted and is a dead letter.",
    ]


def finished(**fields: Any) -> Audits:
    audit = Audit(finished_at=NOW, **fields)
    return Audits(finished=audit, result=audit)


WRONG = "red: The last audit found 3 counters and 0 positions that are wrong."
FAILED = Audit(finished_at=NOW, error="refused")


@pytest.mark.parametrize(
    ("audits", "expected"),
    [
        (Audits(unfinished=Audit()), []),
        (finished(), []),
        (finished(differences=3, repaired=True), []),
        (finished(differences=3), [WRONG]),
        (Audits(finished=FAILED), ["amber: The last audit failed: refused"]),
        (
            replace(finished(differences=3), finished=FAILED),
            [WRONG, "amber: The last audit failed: refused"],
        ),
    ],
)
def test_the_last_audits_are_told(audits: Audits, expected: list[str]) -> None:
    assert said(replace(HEALTHY, audits=audits)) == expected


@pytest.mark.parametrize("seconds", [45, -45])
def test_beat_that_notes_its_ticks_rarely_is_given_time(seconds: int) -> None:
    tick = NOW - timedelta(seconds=seconds)

    assert said(replace(HEALTHY, beat=Beat(True, tick, timeout=timedelta(seconds=60)))) == []


def test_what_a_store_has_lost_is_told_for_a_week() -> None:
    partition = Partition(number=0, flushed_at=NOW, missing=12, missed_at=NOW - timedelta(days=2))
    lost = with_status(partitions=[PartitionStatus(partition, 0, None, 0.0, 0)])

    assert said(lost) == ["amber: At least 12 events were lost inside a store."]
    assert said(replace(lost, now=NOW + timedelta(days=5, seconds=1))) != said(lost)


def with_projection(name: str = "totals:pages.content", **fields: Any) -> Facts:
    status = replace(HEALTHY.status, projections=[ProjectionStatus(name, **fields)])
    return replace(HEALTHY, status=status)


@pytest.mark.parametrize(
    ("kind", "seconds", "level"),
    [
        ("totals", 10, None),
        ("totals", 11, Level.AMBER),
        ("totals", 61, Level.RED),
        ("hourly", 60, None),
        ("hourly", 61, Level.AMBER),
        ("hourly", 361, Level.RED),
        ("visitors", 360, None),
        ("visitors", 361, Level.AMBER),
        ("visitors", 2161, Level.RED),
    ],
)
def test_a_projection_is_behind(kind: str, seconds: float, level: Level | None) -> None:
    facts = with_projection(f"{kind}:pages.content", lag_events=1200, lag_seconds=seconds)

    found = find_problems(facts)

    assert [finding.level for finding in found] == ([level] if level else [])
    for finding in found:
        assert finding.what.startswith(f"The projection {kind}:pages.content is behind: 1,200")


def test_a_projection_that_fails_says_why() -> None:
    facts = with_projection(failed_at=NOW, error="DataError: out of range", lag_seconds=300)

    assert said(facts) == [
        "red: The projection totals:pages.content fails: DataError: out of range"
    ]


def test_views_of_a_model_that_is_unknown_here_are_no_fault() -> None:
    assert said(with_projection("totals:shop.item", lag_events=7, lag_seconds=3600)) == [
        "amber: Views of “shop.item” wait: this version does not know the model."
    ]


def test_views_that_wait_for_locked_rows_are_told() -> None:
    facts = with_projection(carried_views=1500, carried_seconds=25)

    assert said(facts) == [
        "amber: 1,500 views of “pages.content” wait for locked rows, the oldest for 25 s."
    ]
    assert said(with_projection(carried_views=1500, carried_seconds=2)) == []


@pytest.mark.parametrize(
    ("numbers", "what"),
    [
        ([7], "Segment 7 of the event store is corrupt: its events cannot be read."),
        ([7, 9], "Segments 7, 9 of the event store are corrupt: their events cannot be read."),
    ],
)
def test_corrupt_segments_are_red(numbers: list[int], what: str) -> None:
    facts = replace(HEALTHY, status=replace(HEALTHY.status, corrupt_segments=numbers))

    (finding,) = find_problems(facts)

    assert (finding.level, finding.what) == (Level.RED, what)
    assert "from a backup" in finding.advice

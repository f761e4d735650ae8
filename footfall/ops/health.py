"""Pure: from facts to findings, which tell a person what is wrong and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from footfall.common.wording import duration, number
from footfall.ops.facts import Facts
from footfall.ops.status import PartitionStatus
from footfall.worker import QUEUE

OVERDUE = 10.0  # seconds after which an event should have been counted
# Together with the refresh of the dashboard, a stall is shown within 15 seconds.
IDLE_AFTER = timedelta(seconds=8)  # without a flush
LOSS_SHOWN_FOR = timedelta(days=7)


class Level(StrEnum):
    """How bad something is; GREEN means that there are no findings."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    level: Level
    what: str
    advice: str
    route: str = ""
    """Name of the admin view where to do it, if there is one."""


def find_problems(facts: Facts) -> list[Finding]:
    """Return what is wrong, the worst first."""
    found = [finding for check in CHECKS if (finding := check(facts))]
    return sorted(found, key=lambda finding: finding.level is not Level.RED)


def is_idle(flushed_at: datetime | None, now: datetime) -> bool:
    """Tell whether flushes are missing. One in the future is from a clock that was set back."""
    return flushed_at is None or abs(now - flushed_at) > IDLE_AFTER


def redis_is_away(facts: Facts) -> Finding | None:
    if not facts.status.log_error:
        return None
    return Finding(
        Level.RED,
        _("Redis does not answer: %s") % facts.status.log_error,
        _(
            "Views are stored in the database meanwhile, and none is lost. Start Redis or correct"
            " its address; everything else recovers by itself."
        ),
    )


def is_stalled(facts: Facts) -> Finding | None:
    stalled = [one for one in facts.status.partitions if _is_stalled(one, facts.now)]
    spilled_for = facts.status.spilled_oldest_seconds or 0
    spill_stalled = spilled_for > OVERDUE and is_idle(facts.status.flushed_at, facts.now)
    if not stalled and not spill_stalled:
        return None
    waiting = sum(one.undelivered or 0 for one in stalled)
    waiting += facts.status.spilled if spill_stalled else 0
    oldest = max([one.oldest_seconds or 0 for one in stalled] + [spilled_for * spill_stalled])
    return Finding(
        Level.RED,
        _("Counting has stalled: %(count)s events wait, the oldest for %(age)s.")
        % {"count": number(waiting), "age": duration(oldest)},
        _("Check the output of the worker that serves the queue “%s”. A restart loses nothing.")
        % QUEUE,
    )


def _is_stalled(one: PartitionStatus, now: datetime) -> bool:
    return (one.oldest_seconds or 0) > OVERDUE and is_idle(one.partition.flushed_at, now)


def is_behind(facts: Facts) -> Finding | None:
    oldest = facts.status.oldest_seconds or 0
    if oldest <= OVERDUE or is_stalled(facts):
        return None
    waiting = sum(one.undelivered or 0 for one in facts.status.partitions) + facts.status.spilled
    return Finding(
        Level.AMBER,
        _("Counting is behind: %(count)s events wait, the oldest for %(age)s.")
        % {"count": number(waiting), "age": duration(oldest)},
        _("It catches up by itself. If it does not, views come in faster than they are counted."),
    )


def flush_worker_is_missing(facts: Facts) -> Finding | None:
    """A worker that flushed a moment ago is there, even if it was too busy to answer."""
    is_there = facts.workers.serve(QUEUE) or not is_idle(facts.status.flushed_at, facts.now)
    if is_there or facts.workers.error:
        return None
    return Finding(
        Level.RED,
        _("No worker serves the queue “%s”, so nothing is counted.") % QUEUE,
        _("Views wait in the log, and none is lost. Start a worker: celery worker --queues %s")
        % QUEUE,
    )


def other_worker_is_missing(facts: Facts) -> Finding | None:
    if facts.workers.serve(facts.default_queue) or facts.workers.error:
        return None
    return Finding(
        Level.AMBER,
        _("No worker serves the queue “%s”.") % facts.default_queue,
        _(
            "Views are still counted, but rankings are not updated and audits wait."
            " Start a worker: celery worker --queues %s"
        )
        % facts.default_queue,
    )


def workers_are_unknown(facts: Facts) -> Finding | None:
    if not facts.workers.error or facts.status.log_error:
        return None
    return Finding(
        Level.AMBER,
        _("The workers could not be queried: %s") % facts.workers.error,
        _("If this persists, check whether Celery's broker is reachable."),
    )


def beat_is_missing(facts: Facts) -> Finding | None:
    if not facts.beat.is_scheduled:
        return Finding(
            Level.RED,
            _("The flush is not scheduled, or its periodic task is disabled."),
            _("The worker flushes on its own meanwhile. Enable the periodic task."),
            "admin:django_celery_beat_periodictask_changelist",
        )
    if not facts.beat.is_late(facts.now):
        return None
    last = facts.beat.last_tick
    return Finding(
        Level.RED,
        _("Beat sends no ticks; the last one came %s ago.")
        % duration(abs(facts.now - last).total_seconds())
        if last
        else _("Beat has never sent a tick."),
        _(
            "The worker flushes on its own meanwhile, so views are counted; but rankings are not"
            " updated, and old rows are not removed. Start Celery's beat."
        ),
    )


def there_are_dead_letters(facts: Facts) -> Finding | None:
    count = facts.status.dead_letters
    if not count:
        return None
    return Finding(
        Level.AMBER,
        ngettext(
            "%s event could not be counted and is a dead letter.",
            "%s events could not be counted and are dead letters.",
            count,
        )
        % number(count),
        _("Check the reason, then replay or delete."),
        "admin:counters_deadletter_changelist",
    )


def a_store_has_lost_events(facts: Facts) -> Finding | None:
    missed_at = facts.status.missed_at
    if missed_at is None or facts.now - missed_at > LOSS_SHOWN_FOR:
        return None
    count = facts.status.missing
    return Finding(
        Level.AMBER,
        ngettext(
            "At least %s event was lost inside a store.",
            "At least %s events were lost inside a store.",
            count,
        )
        % number(count),
        _(
            "PostgreSQL was restored from before what the log keeps, or Redis lost its data."
            " Nothing can be done here; docs/guarantee.md says how to prevent it."
        ),
    )


def audit_found_something(facts: Facts) -> Finding | None:
    audit = facts.audits.result
    if audit is None or not (audit.broken or (audit.differences and not audit.repaired)):
        return None
    return Finding(
        Level.RED,
        _("The last audit found %(counters)s counters and %(positions)s positions that are wrong.")
        % {"counters": number(audit.differences), "positions": number(audit.broken)},
        _("To repair the counters from their rollups: manage.py counters audit --repair"),
        "admin:counters_audit_changelist",
    )


def audit_failed(facts: Facts) -> Finding | None:
    audit = facts.audits.finished
    if audit is None or not audit.error:
        return None
    return Finding(
        Level.AMBER,
        _("The last audit failed: %s") % audit.error,
        _("Run another one once that is fixed."),
    )


CHECKS: tuple[Callable[[Facts], Finding | None], ...] = (
    redis_is_away,
    is_stalled,
    flush_worker_is_missing,
    beat_is_missing,
    audit_found_something,
    audit_failed,
    is_behind,
    workers_are_unknown,
    other_worker_is_missing,
    there_are_dead_letters,
    a_store_has_lost_events,
)

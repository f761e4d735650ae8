"""Pure: from what was read to what is wrong with it, for a person who can do something about it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from footfall.common.wording import duration, number
from footfall.models import Audit
from footfall.ops.status import PartitionStatus, Status
from footfall.ops.workers import Workers
from footfall.worker import QUEUE

OVERDUE = 10.0  # seconds after which an event should have been counted
# Together with the refresh of the page, red within 15 seconds.
QUIET = timedelta(seconds=8)  # without a flush
TOLD = timedelta(days=7)  # after a loss in a store
TICKLESS = timedelta(seconds=10)  # without a tick of beat, which notes them every 5 seconds


class Level(StrEnum):
    """How bad something is; GREEN is the absence of findings."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Finding:
    """Something is wrong: what, and what to do about it."""

    level: Level
    what: str
    advice: str
    route: str = ""
    """Where to do it in the admin, if it can be done there."""


@dataclass(frozen=True)
class Facts:
    """What was read."""

    now: datetime
    status: Status
    workers: Workers
    default_queue: str
    """The queue of the tasks that are not the flush."""
    is_scheduled: bool
    last_tick: datetime | None
    """When beat last sent a tick of the flush, up to a few seconds late."""
    audit: Audit | None

    @property
    def flushed_at(self) -> datetime | None:
        times = [one.partition.flushed_at for one in self.status.partitions]
        return max((at for at in times if at), default=None)

    def is_quiet(self, flushed_at: datetime | None) -> bool:
        """A flush in the future is one before the clock was set back."""
        return flushed_at is None or abs(self.now - flushed_at) > QUIET


def diagnose(facts: Facts) -> list[Finding]:
    """Return what is wrong, the worst first."""
    found = [finding for check in CHECKS if (finding := check(facts))]
    return sorted(found, key=lambda finding: finding.level is not Level.RED)


def redis_is_away(facts: Facts) -> Finding | None:
    if not facts.status.log_error:
        return None
    return Finding(
        Level.RED,
        _("Redis does not answer: %s") % facts.status.log_error,
        _(
            "Views are kept in the database meanwhile, and none is lost. Start Redis, or correct"
            " its address; everything else goes on by itself."
        ),
    )


def is_stalled(facts: Facts) -> Finding | None:
    stalled = [one for one in facts.status.partitions if _is_overdue(one, facts)]
    spilled_for = facts.status.spilled_oldest_seconds or 0
    spill_stalled = spilled_for > OVERDUE and facts.is_quiet(facts.flushed_at)
    if not stalled and not spill_stalled:
        return None
    waiting = sum(one.undelivered or 0 for one in stalled)
    waiting += facts.status.spilled if spill_stalled else 0
    oldest = max([one.oldest_seconds or 0 for one in stalled] + [spilled_for * spill_stalled])
    return Finding(
        Level.RED,
        _("Counting has stalled: %(count)s events wait, the oldest for %(age)s.")
        % {"count": number(waiting), "age": duration(oldest)},
        _("Look at the output of the worker that serves the queue “%s”; a restart loses nothing.")
        % QUEUE,
    )


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
    if facts.workers.serve(QUEUE) or facts.workers.error or not facts.is_quiet(facts.flushed_at):
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
            "Views are counted all the same, but the most viewed are not computed and audits wait."
            " Start a worker: celery worker --queues %s"
        )
        % facts.default_queue,
    )


def workers_are_unknown(facts: Facts) -> Finding | None:
    if not facts.workers.error or facts.status.log_error:
        return None
    return Finding(
        Level.AMBER,
        _("The workers could not be asked: %s") % facts.workers.error,
        _("If this stays, see whether Celery's broker answers."),
    )


def beat_is_missing(facts: Facts) -> Finding | None:
    if not facts.is_scheduled:
        return Finding(
            Level.RED,
            _("The flush is not scheduled, or its schedule is switched off."),
            _("The worker wakes by itself meanwhile. Switch the periodic task on."),
            "admin:django_celery_beat_periodictask_changelist",
        )
    if facts.last_tick and abs(facts.now - facts.last_tick) <= TICKLESS:
        return None
    last = facts.last_tick
    return Finding(
        Level.RED,
        _("Beat sends no ticks; the last one came %s ago.")
        % duration(abs(facts.now - last).total_seconds())
        if last
        else _("Beat has never sent a tick."),
        _(
            "The worker wakes by itself meanwhile, so views are counted; but the most viewed are"
            " not computed, and old rows are not removed. Start Celery's beat."
        ),
    )


def there_are_dead_letters(facts: Facts) -> Finding | None:
    count = facts.status.dead_letters
    if not count:
        return None
    return Finding(
        Level.AMBER,
        ngettext(
            "%s event could not be counted and was set aside.",
            "%s events could not be counted and were set aside.",
            count,
        )
        % number(count),
        _("Look at the reason; then replay or delete."),
        "admin:counters_deadletter_changelist",
    )


def a_store_has_lost_events(facts: Facts) -> Finding | None:
    missed_at = facts.status.missed_at
    if missed_at is None or facts.now - missed_at > TOLD:
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
            "PostgreSQL came back older than what the log keeps, or Redis lost what was in it."
            " Nothing is to be done here; docs/guarantee.md says what to change."
        ),
    )


def audit_found_something(facts: Facts) -> Finding | None:
    audit = facts.audit
    if audit is None or audit.finished_at is None or audit.is_clean:
        return None
    if audit.error:
        return Finding(
            Level.AMBER,
            _("The last audit could not be carried out: %s") % audit.error,
            _("Ask for a new one when that is mended."),
        )
    return Finding(
        Level.RED,
        _("The last audit found %(counters)s counters and %(positions)s positions that are wrong.")
        % {"counters": number(audit.differences), "positions": number(audit.broken)},
        _("To mend the counters from their rollups: manage.py counters audit --repair"),
        "admin:counters_audit_changelist",
    )


def _is_overdue(one: PartitionStatus, facts: Facts) -> bool:
    return (one.oldest_seconds or 0) > OVERDUE and facts.is_quiet(one.partition.flushed_at)


CHECKS: tuple[Callable[[Facts], Finding | None], ...] = (
    redis_is_away,
    is_stalled,
    flush_worker_is_missing,
    beat_is_missing,
    audit_found_something,
    is_behind,
    workers_are_unknown,
    other_worker_is_missing,
    there_are_dead_letters,
    a_store_has_lost_events,
)

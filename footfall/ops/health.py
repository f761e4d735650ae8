"""Pure: from facts to findings, which tell a person what is wrong and what to do about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from footfall.common.wording import duration, number
from footfall.conf import conf
from footfall.ops.facts import Facts
from footfall.ops.lag import ProjectionStatus
from footfall.projections.rows import HOURLY, VISITORS
from footfall.worker import QUEUE

OVERDUE = 10.0  # seconds after which an event should have been counted
# Together with the refresh of the dashboard, a stall is shown within 15 seconds.
IDLE_AFTER = timedelta(seconds=8)  # without a flush
HOURLY_OVERDUE = 60.0  # seconds: the views by the hour are applied every 10 seconds
RED_AFTER = 6  # times as long, and what is overdue is red
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
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: finding.level is not Level.RED)


def is_idle(flushed_at: datetime | None, now: datetime) -> bool:
    """Tell whether flushes are missing. One in the future is from a clock that was set back."""
    return flushed_at is None or abs(now - flushed_at) > IDLE_AFTER


def check_redis(facts: Facts) -> Iterator[Finding]:
    if facts.status.log_error:
        yield Finding(
            Level.RED,
            _("Redis does not answer: %s") % facts.status.log_error,
            _(
                "Views are stored in the database meanwhile, and none is lost. Start Redis or"
                " correct its address; everything else recovers by itself."
            ),
        )


def check_refusal(facts: Facts) -> Iterator[Finding]:
    if refusal := facts.status.redis.refusal:
        yield Finding(
            Level.RED,
            _("Redis refuses to write: %s") % refusal,
            _(
                "Views are stored in the database meanwhile, and none is lost. Mostly its disk is"
                " full: make room, and everything else recovers by itself."
            ),
        )


def check_replicas(facts: Facts) -> Iterator[Finding]:
    """Name why no append is known to be replicated, if it must be: then each view is spilled."""
    redis, wanted = facts.status.redis, conf.COUNTERS_WAIT_REPLICAS
    advice = _("Views are stored in the database meanwhile, and none is lost.")
    if not wanted or facts.status.log_error:
        return
    if redis.wait_refusal:
        more = _("Let its user run WAIT (ACL: +wait), or set COUNTERS_WAIT_REPLICAS to 0.")
        what = _("Redis refuses WAIT, so each view is written twice: %s") % redis.wait_refusal
        yield Finding(Level.RED, what, f"{advice} {more}")
    elif redis.replicas < wanted:
        what = _("Redis has %(there)d of the %(wanted)d replicas that must have each view.")
        what %= {"there": redis.replicas, "wanted": wanted}
        remedy = _("Start the replicas.")
        yield Finding(Level.AMBER, what, f"{advice} {remedy}")


def check_failure(facts: Facts) -> Iterator[Finding]:
    if failure := facts.status.failure:
        yield Finding(
            Level.RED,
            _("Events cannot be stored: %s") % failure,
            _("They wait in the log, and none is lost. The next try comes within a second."),
        )


def check_eviction(facts: Facts) -> Iterator[Finding]:
    redis = facts.status.redis
    if redis.policy:
        what = _("Redis may evict the log, and so lose views: its maxmemory-policy is %s.")
        what %= redis.policy
        if count := redis.evicted_keys:
            evicted = ngettext("It has evicted %s key.", "It has evicted %s keys.", count)
            what = f"{what} {evicted % number(count)}"
        advice = _("Set it to noeviction: when Redis is full, views then go to the database.")
        yield Finding(Level.RED, what, advice)


def check_failed_audit(facts: Facts) -> Iterator[Finding]:
    audit = facts.audits.finished
    if audit and audit.error:
        yield Finding(
            Level.AMBER,
            _("The last audit failed: %s") % audit.error,
            _("Run another one once that is fixed."),
        )


def check_waiting(facts: Facts) -> Iterator[Finding]:
    """Counting has stalled if events wait for long while none is stored, else it is behind."""
    status = facts.status
    partitions = [(one.undelivered or 0, one.oldest_seconds or 0) for one in status.partitions]
    idle = [is_idle(one.partition.flushed_at, facts.now) for one in status.partitions]
    # The spill is drained by each flush, whatever its partition.
    waiting = [*partitions, (status.spilled, status.spilled_oldest_seconds or 0)]
    idle.append(is_idle(status.flushed_at, facts.now))
    stalled = [
        (count, age)
        for (count, age), is_idle in zip(waiting, idle, strict=True)
        if is_idle and age > OVERDUE
    ]
    if stalled:
        yield Finding(
            Level.RED,
            _("Counting has stalled: %(count)s events wait, the oldest for %(age)s.")
            % _how_many(stalled),
            _("Check the output of the worker that serves the queue “%s”. A restart loses nothing.")
            % QUEUE,
        )
    elif (status.unstored_oldest_seconds or 0) > OVERDUE:
        yield Finding(
            Level.AMBER,
            _("Counting is behind: %(count)s events wait, the oldest for %(age)s.")
            % _how_many(waiting),
            _(
                "It catches up by itself. If it does not, views come in faster than they are"
                " counted."
            ),
        )


def _how_many(waiting: Sequence[tuple[int, float]]) -> dict[str, str]:
    count = sum(count for count, _age in waiting)
    return {"count": number(count), "age": duration(max(age for _count, age in waiting))}


def overdue(one: ProjectionStatus) -> Level:
    """Tell how bad it is how far a projection is behind; GREEN if that is normal."""
    limit = {
        HOURLY: HOURLY_OVERDUE,
        VISITORS: HOURLY_OVERDUE + conf.COUNTERS_VISITORS_INTERVAL_SECONDS,
    }.get(one.kind, OVERDUE)
    if one.lag_seconds <= limit:
        return Level.GREEN
    return Level.RED if one.lag_seconds > RED_AFTER * limit else Level.AMBER


def check_projections(facts: Facts) -> Iterator[Finding]:
    """Yield a finding for each projection that fails or is behind for too long."""
    for one in facts.status.projections:
        level = overdue(one)
        if one.failed_at:
            yield Finding(
                Level.RED,
                _("The projection %(name)s fails: %(error)s")
                % {"name": one.name, "error": one.error},
                _("It alone is behind. It tries again by itself, and nothing is lost."),
            )
        elif level is not Level.GREEN and not one.is_known:
            yield Finding(
                Level.AMBER,
                _("Views of “%s” wait: this version does not know the model.") % one.label,
                _(
                    "They are counted once the workers know it. If the model was removed, see"
                    " docs/how-to/operate.md."
                ),
            )
        elif level is not Level.GREEN:
            what = _(
                "The projection %(name)s is behind: %(count)s events wait, the oldest for %(age)s."
            )
            yield Finding(
                level,
                what % {"name": one.name, **_how_many([(one.lag_events, one.lag_seconds)])},
                _(
                    "The events are stored, and none is lost. Check the output of the worker that"
                    " serves the queue “%s”."
                )
                % QUEUE,
            )


def check_carried(facts: Facts) -> Iterator[Finding]:
    for one in facts.status.projections:
        if one.carried_views and one.carried_seconds > OVERDUE:
            what = _("%(count)s views of “%(label)s” wait for locked rows, the oldest for %(age)s.")
            carried = _how_many([(one.carried_views, one.carried_seconds)])
            yield Finding(
                Level.AMBER,
                what % {"label": one.label, **carried},
                _("They are counted once the other transaction ends. All other rows go on."),
            )


def check_store(facts: Facts) -> Iterator[Finding]:
    if corrupt := facts.status.corrupt_segments:
        what = ngettext(
            "Segment %s of the event store is corrupt: its events cannot be read.",
            "Segments %s of the event store are corrupt: their events cannot be read.",
            len(corrupt),
        )
        yield Finding(
            Level.RED,
            what % ", ".join(map(str, corrupt)),
            _("Restore these rows of counters_segment from a backup."),
            "admin:counters_segment_changelist",
        )


def check_workers(facts: Facts) -> Iterator[Finding]:
    workers = facts.workers
    if workers.error:
        if not facts.status.log_error:
            yield Finding(
                Level.AMBER,
                _("The workers could not be queried: %s") % workers.error,
                _("If this persists, check whether Celery's broker is reachable."),
            )
        return
    # A worker that flushed a moment ago is there, even if it was too busy to answer.
    if not workers.serve(QUEUE) and is_idle(facts.status.flushed_at, facts.now):
        yield Finding(
            Level.RED,
            _("No worker serves the queue “%s”, so nothing is counted.") % QUEUE,
            _(
                "Views wait in the log, and none is lost. Start a worker: celery worker"
                " --queues %s, or, without Celery: manage.py counters run"
            )
            % QUEUE,
        )
    if not workers.serve(facts.default_queue):
        yield Finding(
            Level.AMBER,
            _("No worker serves the queue “%s”.") % facts.default_queue,
            _(
                "Views are still counted, but rankings are not updated and audits wait."
                " Start a worker: celery worker --queues %s"
            )
            % facts.default_queue,
        )


def check_beat(facts: Facts) -> Iterator[Finding]:
    if not facts.beat.is_scheduled:
        yield Finding(
            Level.RED,
            _("The flush is not scheduled, or its periodic task is disabled."),
            _("The worker flushes on its own meanwhile. Enable the periodic task."),
            "admin:django_celery_beat_periodictask_changelist",
        )
    elif facts.beat.is_late(facts.now):
        last = facts.beat.last_tick
        yield Finding(
            Level.RED,
            _("Beat sends no ticks; the last one came %s ago.")
            % duration(abs(facts.now - last).total_seconds())
            if last
            else _("Beat has never sent a tick."),
            _(
                "The worker flushes on its own meanwhile, so views are counted; but rankings are"
                " not updated, and old rows are not removed. Start Celery's beat."
            ),
        )


def check_audit(facts: Facts) -> Iterator[Finding]:
    audit = facts.audits.result
    if audit and (audit.broken or (audit.differences and not audit.repaired)):
        counts = {"counters": number(audit.differences), "positions": number(audit.broken)}
        yield Finding(
            Level.RED,
            _(
                "The last audit found %(counters)s counters and %(positions)s positions that are"
                " wrong."
            )
            % counts,
            _("To repair the counters from their rollups: manage.py counters audit --repair"),
            "admin:counters_audit_changelist",
        )


def check_dead_letters(facts: Facts) -> Iterator[Finding]:
    if count := facts.status.dead_letters:
        what = ngettext(
            "%s event could not be counted and is a dead letter.",
            "%s events could not be counted and are dead letters.",
            count,
        )
        yield Finding(
            Level.AMBER,
            what % number(count),
            _("Check the reason, then replay or delete."),
            "admin:counters_deadletter_changelist",
        )


def check_losses(facts: Facts) -> Iterator[Finding]:
    missed_at, count = facts.status.missed_at, facts.status.missing
    if missed_at and facts.now - missed_at <= LOSS_SHOWN_FOR:
        what = ngettext(
            "At least %s event was lost inside a store.",
            "At least %s events were lost inside a store.",
            count,
        )
        yield Finding(
            Level.AMBER,
            what % number(count),
            _(
                "PostgreSQL was restored from before what the log keeps, or Redis lost its data."
                " Nothing can be done here; docs/guarantee.md says how to prevent it."
            ),
        )


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    check_redis,
    check_refusal,
    check_replicas,
    check_eviction,
    check_failure,
    check_failed_audit,
    check_waiting,
    check_projections,
    check_carried,
    check_store,
    check_workers,
    check_beat,
    check_audit,
    check_dead_letters,
    check_losses,
)

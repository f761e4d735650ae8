"""The facts about the service. The dashboard, `/readyz`, the metrics and the command show them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.apps import apps
from django.db.models import Q, Subquery

from footfall import sql
from footfall.common.celery import current_app
from footfall.models import Audit, Segment
from footfall.ops.status import Status, status
from footfall.ops.workers import Workers, default_queue, inspector

BEAT_TIMEOUT = timedelta(seconds=10)  # without a tick, unless beat notes ticks more rarely
BEAT_SYNC = timedelta(seconds=180)  # between two notes of beat, without `beat_sync_every`


@dataclass(frozen=True)
class Beat:
    """What Celery beat notes in the database, every few ticks, about its ticks of the flush."""

    is_scheduled: bool
    last_tick: datetime | None
    timeout: timedelta = BEAT_TIMEOUT
    is_known: bool = True  # False without django_celery_beat: then beat notes nothing here

    def is_late(self, now: datetime) -> bool:
        """Tell whether ticks are missing. One in the future is from a clock that was set back."""
        late = self.last_tick is None or abs(now - self.last_tick) > self.timeout
        return self.is_known and late


@dataclass(frozen=True)
class Audits:
    """The newest audits."""

    unfinished: Audit | None = None
    """The newest of all, if it waits or runs."""
    finished: Audit | None = None
    """The last that ended, perhaps with an error."""
    result: Audit | None = None
    """The last that ended and says something about the counters."""


@dataclass(frozen=True)
class Facts:
    """All of them, at one time."""

    now: datetime
    """By the database's clock."""
    status: Status
    workers: Workers
    default_queue: str
    """The queue of the tasks other than the flush."""
    beat: Beat
    audits: Audits
    last_segment: Segment | None = None
    store_bytes: int | None = None
    """None if the database does not know it."""


def gather() -> Facts:
    """Read all facts. Takes about 2 s at most. Raises DatabaseError while the database is away."""
    counting = status()
    # The broker is mostly the same Redis; if that is away, do not wait for the workers as well.
    workers = inspector.workers(timeout=0.0) if counting.log_error else inspector.workers()
    return Facts(
        now=counting.at,
        status=counting,
        workers=workers,
        default_queue=default_queue(),
        beat=read_beat(workers),
        audits=read_audits(),
        last_segment=last_segment(),
        store_bytes=sql.table_bytes(Segment),
    )


def last_segment() -> Segment | None:
    """Return the newest segment, without its data."""
    return Segment.objects.defer("data").order_by("-number").first()


def read_beat(workers: Workers) -> Beat:
    """Read what beat has noted. Beside `counters run` there need not be a beat."""
    if workers.runner or not apps.is_installed("django_celery_beat"):
        return Beat(is_scheduled=True, last_tick=None, is_known=False)
    entries = apps.get_model("django_celery_beat", "PeriodicTask").objects
    enabled = entries.filter(task="counters.flush", enabled=True)
    if (entry := enabled.select_related("interval").first()) is None:
        return Beat(is_scheduled=False, last_tick=None)
    interval = getattr(entry.schedule, "run_every", timedelta())
    app = current_app()
    ticks = app.conf.beat_sync_every if app else 0
    noted_within = (ticks + 1) * interval if ticks else BEAT_SYNC + interval
    return Beat(True, entry.last_run_at, max(BEAT_TIMEOUT, noted_within))


def read_audits() -> Audits:
    """Read the audits in one query."""
    failed = Q(differences=0, broken=0) & ~Q(error="")  # before it found anything
    newest = Audit.objects.order_by("-pk").values("pk")
    ended = newest.exclude(finished_at=None)
    keys = [Subquery(audits[:1]) for audits in (newest, ended, ended.exclude(failed))]
    wanted = Q(pk=keys[0]) | Q(pk=keys[1]) | Q(pk=keys[2])
    found = list(Audit.objects.filter(wanted).order_by("-pk"))
    finished = [audit for audit in found if audit.finished_at]
    results = [one for one in finished if one.differences or one.broken or not one.error]
    return Audits(
        unfinished=found[0] if found and not found[0].finished_at else None,
        finished=finished[0] if finished else None,
        result=results[0] if results else None,
    )

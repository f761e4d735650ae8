"""Is every part that counting needs there? Each is asked itself."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from celery import current_app
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.log import get_log
from footfall.ops.schedule import entry_of_flush
from footfall.worker import QUEUE

BEAT_PATIENCE = timedelta(seconds=20)
BEAT_SYNC = timedelta(seconds=180)  # between two notes, unless `beat_sync_every` says otherwise


class Missing(Exception):
    """A part is not there; the message says why."""


def database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise Missing("the database does not answer") from error


def log() -> None:
    """Ask for each partition: in a cluster they are on several servers."""
    for partition in range(conf.COUNTERS_PARTITIONS):
        try:
            get_log().length(partition)
        except Away as error:
            raise Missing("Redis does not answer") from error
        except LogError as error:
            raise Missing(f"Redis does not answer for partition {partition}") from error


def worker() -> None:
    """Ask the workers themselves; the flusher answers within a second if it is there."""
    inspect = current_app.control.inspect(timeout=1.0, pattern="flusher@*", matcher="glob", limit=1)  # type: ignore[arg-type]  # as Celery documents it
    try:
        queues = inspect.active_queues() or {}
    except (OperationalError, OSError) as error:
        raise Missing("the broker does not answer") from error
    if not any(queue["name"] == QUEUE for served in queues.values() for queue in served):
        raise Missing(f"no worker serves the queue {QUEUE}")


def beat() -> None:
    """Look at when beat last sent a tick, as it notes itself every few ticks."""
    try:
        flush = entry_of_flush()
    except DatabaseError as error:
        raise Missing("unknown: the database does not answer") from error
    if flush is None:
        raise Missing("the flush is not scheduled, or disabled")
    # Beat notes its ticks every few of them; a note from the future is one of a clock gone wrong.
    interval = getattr(flush.schedule, "run_every", timedelta())
    ticks = current_app.conf.beat_sync_every
    patience = max(BEAT_PATIENCE, (ticks + 1) * interval) if ticks else BEAT_SYNC + BEAT_PATIENCE
    if not flush.last_run_at or abs(timezone.now() - flush.last_run_at) > patience:
        raise Missing(f"last tick: {flush.last_run_at or 'never'}")


PARTS: dict[str, Callable[[], None]] = {
    "database": database,
    "log": log,
    "worker": worker,
    "beat": beat,
}


def examine(parts: Mapping[str, Callable[[], None]]) -> tuple[dict[str, str], list[str]]:
    """Return the state of each part ("ok", or why it is missing) and the names of the missing."""
    report = {}
    for name, check in parts.items():
        try:
            check()
            report[name] = "ok"
        except Missing as reason:
            report[name] = str(reason)
    return report, [name for name, state in report.items() if state != "ok"]

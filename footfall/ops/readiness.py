"""Whether every part that counting needs is there: `/readyz` and `manage.py counters ready`."""

from collections.abc import Callable, Iterable

from django.db import Error, connection
from django.utils import timezone

from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.log import get_log
from footfall.ops.facts import read_beat, read_flushed_at
from footfall.ops.health import is_idle
from footfall.ops.status import ask_log
from footfall.ops.workers import inspector
from footfall.worker import QUEUE


class Missing(Exception):
    """A part is not there; the message says why."""


def database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        raise Missing("the database does not answer") from error


def log() -> None:
    try:
        ask_log(_ask_each_partition)
    except LogError as error:
        raise Missing("Redis does not answer") from error


def _ask_each_partition() -> None:
    """In a cluster they are on several servers."""
    for partition in range(conf.EVENTLOG_PARTITIONS):
        try:
            get_log().length(partition)
        except Away:
            raise
        except LogError as error:
            raise Missing(f"Redis does not answer for partition {partition}") from error


def worker() -> None:
    workers = inspector.workers(serving=QUEUE)
    if workers.error:
        raise Missing("the broker does not answer")
    if workers.serve(QUEUE):
        return
    try:
        flushed_at = read_flushed_at()
    except Error:
        flushed_at = None
    if is_idle(flushed_at, timezone.now()):
        raise Missing(f"no worker serves the queue {QUEUE}")


def beat() -> None:
    try:
        found = read_beat()
    except Error as error:
        raise Missing("unknown: the database does not answer") from error
    if not found.is_scheduled:
        raise Missing("the flush is not scheduled, or disabled")
    if found.is_late(timezone.now()):
        raise Missing(f"last tick: {found.last_tick or 'never'}")


PARTS: dict[str, Callable[[], None]] = {
    "database": database,
    "log": log,
    "worker": worker,
    "beat": beat,
}


def check(names: Iterable[str] = PARTS) -> tuple[dict[str, str], list[str]]:
    """Return the state of each part ("ok", or why it is missing) and the names of the missing."""
    states = {}
    for name in names:
        try:
            PARTS[name]()
            states[name] = "ok"
        except Missing as reason:
            states[name] = str(reason)
    return states, [name for name, state in states.items() if state != "ok"]

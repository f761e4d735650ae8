"""Whether every part that counting needs is there: `/readyz` and `manage.py counters ready`."""

from collections.abc import Callable, Iterable, Iterator

from django.db import Error, connection
from django.db.models import Max

from footfall.conf import conf
from footfall.eventlog import Away, Condition, LogError
from footfall.identity import database_now
from footfall.log import get_log
from footfall.models import Partition
from footfall.ops.facts import read_beat
from footfall.ops.health import Level, is_idle, overdue
from footfall.ops.lag import read_projections
from footfall.ops.status import ask_log
from footfall.ops.workers import inspector
from footfall.worker import QUEUE


def database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "the database does not answer"
    return ""


def log() -> str:
    def each_partition() -> str:  # in a cluster they are on several servers
        for partition in range(conf.COUNTERS_PARTITIONS):
            try:
                get_log().length(partition)
            except Away:
                raise
            except LogError:
                return f"Redis does not answer for partition {partition}"
        return "; ".join(_reasons(get_log().condition()))

    try:
        return ask_log(each_partition)
    except LogError:
        return "Redis does not answer"


def _reasons(redis: Condition) -> Iterator[str]:
    """Yield what Redis says of itself that is bad for a log."""
    if redis.policy:
        yield f"Redis may evict the log: {redis.policy}"
    if redis.refusal:
        yield f"Redis refuses to write: {redis.refusal.split(' ', 1)[0]}"
    if redis.wait_refusal:
        yield "Redis refuses WAIT, so views are stored in the database, too"


def worker() -> str:
    workers = inspector.workers(serving=QUEUE)
    if workers.error:
        return "the broker does not answer"
    is_there = False
    try:
        flushed_at = Partition.objects.aggregate(at=Max("flushed_at"))["at"]
        is_there = workers.serve(QUEUE) or not is_idle(flushed_at, database_now())
        if workers.serve(QUEUE) and (failure := ask_log(get_log().failure)):
            return f"events cannot be stored: {failure.partition(':')[0]}"
    except (LogError, Error):
        pass  # they are named already
    return "" if is_there else f"no worker serves the queue {QUEUE}"


def beat() -> str:
    try:
        found, now = read_beat(inspector.workers(serving=QUEUE)), database_now()
    except Error:
        return "unknown: the database does not answer"
    if not found.is_scheduled:
        return "the flush is not scheduled, or disabled"
    return f"last tick: {found.last_tick or 'never'}" if found.is_late(now) else ""


def projections() -> str:
    """Name the projections that fail or are behind, and counters of another policy."""
    try:
        found = read_projections()
    except Error:
        return "unknown: the database does not answer"
    failing = [f"{one.name} fails" for one in found if one.failed_at]
    behind = [
        f"{one.name} is {one.lag_events} events behind, {one.lag_seconds:.0f} s"
        for one in found
        if not one.failed_at and overdue(one) is not Level.GREEN
    ]
    return "; ".join([*failing, *behind, *(one.remark for one in found if one.remark)])


PARTS: dict[str, Callable[[], str]] = {  # each returns why it is missing, or ""
    "database": database,
    "log": log,
    "worker": worker,
    "beat": beat,
}
REMARKS: dict[str, Callable[[], str]] = {
    # Not parts: a web server whose projections wait or fail is ready. It answers every page, every
    # view is stored, and neither a restart nor another server would change anything.
    "projections": projections,
}


def check(names: Iterable[str] = PARTS) -> tuple[dict[str, str], list[str]]:
    """Return the state of each part ("ok", or why it is missing) and the names of the missing.

    A remark has a state, too, but is never missing.
    """
    states = {name: {**PARTS, **REMARKS}[name]() or "ok" for name in names}
    missing = [name for name, state in states.items() if name in PARTS and state != "ok"]
    return states, missing

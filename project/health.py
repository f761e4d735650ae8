"""`/healthz`: can this process answer? `/readyz`: is every part of the service there?"""

from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from counters.log import get_log
from counters.wakeup import QUEUE
from eventlog import LogError
from project.celery import app

BEAT_PATIENCE = timedelta(seconds=20)


class Missing(Exception):
    """A part is not there; the message says why."""


def database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise Missing("the database does not answer") from error


def log() -> None:
    try:
        get_log().length(0)
    except LogError as error:
        raise Missing("Redis does not answer") from error


def worker() -> None:
    """Ask the workers themselves; the flusher answers within a second if it is there."""
    inspect = app.control.inspect(pattern="flusher@*", matcher="glob", limit=1, timeout=1.0)
    try:
        queues = inspect.active_queues() or {}
    except (OperationalError, OSError) as error:
        raise Missing("the broker does not answer") from error
    if not any(queue["name"] == QUEUE for served in queues.values() for queue in served):
        raise Missing(f"no worker serves the queue {QUEUE}")


def beat() -> None:
    """Look at when beat last sent a tick, as it notes itself every few ticks."""
    try:
        flush = PeriodicTask.objects.filter(task="counters.flush", enabled=True).first()
    except DatabaseError as error:
        raise Missing("unknown: the database does not answer") from error
    if flush is None:
        raise Missing("the flush is not scheduled, or disabled")
    if not flush.last_run_at or timezone.now() - flush.last_run_at > BEAT_PATIENCE:
        raise Missing(f"last tick: {flush.last_run_at or 'never'}")


PARTS: dict[str, Callable[[], None]] = {
    "database": database,
    "log": log,
    "worker": worker,
    "beat": beat,
}


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while pages can be answered: they come from the database."""
    return _report({"database": database})


@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part is there, else 503 and what is missing."""
    return _report(PARTS)


def _report(parts: dict[str, Callable[[], None]]) -> JsonResponse:
    report = {}
    for name, check in parts.items():
        try:
            check()
            report[name] = "ok"
        except Missing as reason:
            report[name] = str(reason)
    missing = [name for name, state in report.items() if state != "ok"]
    if not missing:
        return JsonResponse({"status": "ok", **report})
    return JsonResponse({"detail": f"missing: {', '.join(missing)}", **report}, status=503)

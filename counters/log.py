"""The log that views go through, as the settings describe it."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from eventlog import RedisLog, Shelf


@cache
def get_log() -> RedisLog:
    """Return this process' log: one set of connections, one circuit breaker."""
    partitions = settings.EVENTLOG_PARTITIONS
    cap = settings.EVENTLOG_MAX_BYTES // partitions
    # What is kept of the past must leave room for what comes.
    retention = min(settings.EVENTLOG_RETENTION_BYTES // partitions, cap // 2)
    return RedisLog(
        settings.EVENTLOG_URL,
        prefix=settings.EVENTLOG_PREFIX,
        max_bytes=cap,
        retention_seconds=settings.EVENTLOG_RETENTION_SECONDS,
        retention_bytes=retention,
        timeout=settings.EVENTLOG_TIMEOUT_SECONDS,
    )


@cache
def get_shelf() -> Shelf:
    """Return what is prepared beside that log: when one of them is away, so is the other."""
    return Shelf(
        settings.EVENTLOG_URL,
        breaker=get_log().breaker,
        prefix=settings.EVENTLOG_PREFIX,
        seconds=settings.PREPARED_SECONDS,
        max_bytes=settings.PREPARED_MAX_BYTES // settings.EVENTLOG_PARTITIONS,
        timeout=settings.EVENTLOG_TIMEOUT_SECONDS,
    )


def _build_anew(setting: str, **kwargs: object) -> None:
    if setting.startswith(("EVENTLOG_", "PREPARED_")):
        get_log.cache_clear()
        get_shelf.cache_clear()


setting_changed.connect(_build_anew, dispatch_uid="counters.log")

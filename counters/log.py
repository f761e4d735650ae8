"""The log that views go through, as the settings describe it."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from eventlog import Log, RedisLog


@cache
def get_log() -> Log:
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


def _build_anew(setting: str, **kwargs: object) -> None:
    if setting.startswith("EVENTLOG_"):
        get_log.cache_clear()


setting_changed.connect(_build_anew, dispatch_uid="counters.log")

"""The log that views go through, as the settings describe it."""

from functools import cache

from django.core.signals import setting_changed

from footfall.conf import conf
from footfall.eventlog import RedisLog


@cache
def get_log() -> RedisLog:
    """Return this process' log: one set of connections, one circuit breaker."""
    partitions = conf.EVENTLOG_PARTITIONS
    cap = conf.EVENTLOG_MAX_BYTES // partitions
    # What is kept of the past must leave room for what comes.
    retention = min(conf.EVENTLOG_RETENTION_BYTES // partitions, cap // 2)
    return RedisLog(
        conf.EVENTLOG_URL,
        prefix=conf.EVENTLOG_PREFIX,
        max_bytes=cap,
        retention_seconds=conf.EVENTLOG_RETENTION_SECONDS,
        retention_bytes=retention,
        timeout=conf.EVENTLOG_TIMEOUT_SECONDS,
    )


def _build_anew(setting: str, **kwargs: object) -> None:
    if setting.startswith("EVENTLOG_"):
        get_log.cache_clear()


setting_changed.connect(_build_anew, dispatch_uid="counters.log")

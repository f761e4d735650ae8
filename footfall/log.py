"""The log of views, with the settings of the project."""

from functools import cache

from django.core.signals import setting_changed

from footfall.conf import conf
from footfall.eventlog import RedisLog


@cache
def get_log() -> RedisLog:
    """Return this process' log: one set of connections, one circuit breaker."""
    partitions = conf.EVENTLOG_PARTITIONS
    cap = conf.EVENTLOG_MAX_BYTES // partitions
    # Applied events that are kept must leave room for new ones.
    retention = min(conf.EVENTLOG_RETENTION_BYTES // partitions, cap // 2)
    return RedisLog(
        conf.EVENTLOG_URL,
        prefix=conf.EVENTLOG_PREFIX,
        max_bytes=cap,
        retention_seconds=conf.EVENTLOG_RETENTION_SECONDS,
        retention_bytes=retention,
        timeout=conf.EVENTLOG_TIMEOUT_SECONDS,
    )


def _reset(setting: str, **kwargs: object) -> None:
    if setting.startswith("EVENTLOG_"):
        get_log.cache_clear()


setting_changed.connect(_reset, dispatch_uid="counters.log")

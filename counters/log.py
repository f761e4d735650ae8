"""The log that views go through, as the settings describe it."""

from functools import cache

from django.core.signals import setting_changed

from counters.conf import conf
from eventlog import RedisLog, Shelf


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


@cache
def get_shelf() -> Shelf:
    """Return what is prepared beside that log: when one of them is away, so is the other."""
    return Shelf(
        conf.EVENTLOG_URL,
        breaker=get_log().breaker,
        prefix=conf.EVENTLOG_PREFIX,
        seconds=conf.PREPARED_SECONDS,
        max_bytes=conf.PREPARED_MAX_BYTES // conf.EVENTLOG_PARTITIONS,
        timeout=conf.EVENTLOG_TIMEOUT_SECONDS,
    )


def _build_anew(setting: str, **kwargs: object) -> None:
    if setting.startswith(("EVENTLOG_", "PREPARED_")):
        get_log.cache_clear()
        get_shelf.cache_clear()


setting_changed.connect(_build_anew, dispatch_uid="counters.log")

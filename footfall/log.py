"""The log of views, with the settings of the project."""

from footfall.conf import cached_until_change, conf
from footfall.eventlog import RedisLog


@cached_until_change
def get_log() -> RedisLog:
    """Return this process' log: one set of connections, one circuit breaker."""
    partitions = conf.COUNTERS_PARTITIONS
    cap = conf.COUNTERS_LOG_MAX_BYTES // partitions
    # Applied events that are kept must leave room for new ones.
    retention = min(conf.COUNTERS_LOG_RETENTION_BYTES // partitions, cap // 2)
    return RedisLog(
        conf.COUNTERS_LOG_URL,
        prefix=conf.COUNTERS_LOG_PREFIX,
        max_bytes=cap,
        retention_seconds=conf.COUNTERS_LOG_RETENTION_SECONDS,
        retention_bytes=retention,
        timeout=conf.COUNTERS_LOG_TIMEOUT_SECONDS,
    )

"""The queue that files wait in, as the settings describe it."""

from footfall.conf import cached_until_change, conf
from footfall.eventlog import RedisQueue


@cached_until_change
def get_queue() -> RedisQueue:
    """Return this process' queue: one set of connections, one circuit breaker."""
    return RedisQueue(
        conf.COUNTERS_LOG_URL,
        name="uploads",
        prefix=conf.COUNTERS_LOG_PREFIX,
        timeout=conf.COUNTERS_LOG_TIMEOUT_SECONDS,
    )

"""The queue of files to process: publishing events to it, and the Redis Stream behind it."""

from footfall.conf import cached_until_change, conf
from footfall.log import key_prefix
from uploads.queue.redis_queue import RedisQueue


@cached_until_change
def get_queue() -> RedisQueue:
    """Return the queue that the settings describe; one per process."""
    return RedisQueue(
        conf.COUNTERS_LOG_URL,
        name="uploads",
        prefix=key_prefix(),
        timeout=conf.COUNTERS_LOG_TIMEOUT_SECONDS,
    )

"""The queue of files to process: publishing events to it, and the Redis Stream behind it."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from uploads.queue.redis_queue import RedisQueue


@cache
def get_queue() -> RedisQueue:
    """Return the queue that the settings describe; one per process."""
    return RedisQueue(
        settings.EVENTLOG_URL,
        name="uploads",
        prefix=settings.EVENTLOG_PREFIX,
        timeout=settings.EVENTLOG_TIMEOUT_SECONDS,
    )


def _reset(setting: str, **kwargs: object) -> None:
    if setting.startswith("EVENTLOG_"):
        get_queue.cache_clear()


setting_changed.connect(_reset, dispatch_uid="uploads.queue")

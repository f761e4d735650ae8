"""The queue that files wait in, as the settings describe it."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from uploads.queue.redis_queue import RedisQueue


@cache
def get_queue() -> RedisQueue:
    """Return this process' queue: one set of connections, one circuit breaker."""
    return RedisQueue(
        settings.EVENTLOG_URL,
        name="uploads",
        prefix=settings.EVENTLOG_PREFIX,
        timeout=settings.EVENTLOG_TIMEOUT_SECONDS,
    )


def _build_anew(setting: str, **kwargs: object) -> None:
    if setting.startswith("EVENTLOG_"):
        get_queue.cache_clear()


setting_changed.connect(_build_anew, dispatch_uid="uploads.queue")

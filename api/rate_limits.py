"""Rate limits, counted in the shared cache, in a moving window.

One Redis script decides and counts, so concurrent requests cannot pass together. While the cache is
unavailable each process counts alone, and requests do not wait for the cache.
"""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

from footfall.common.breaker import CircuitBreaker

logger = logging.getLogger(__name__)

PREFIX = "footfall-throttle"
T = TypeVar("T")

breaker = CircuitBreaker(reset_after=5.0)  # seconds: then one request tries the cache again


def hit(limit: RateLimitItem, key: str, count_it: bool = True) -> float:
    """Count one request if the limit allows it; with `count_it` False, only look.

    Returns 0.0 if it does, else the seconds until it would.
    """

    def count(limiter: MovingWindowRateLimiter) -> float:
        if limiter.hit(limit, key) if count_it else limiter.test(limit, key):
            return 0.0
        return max(limiter.get_window_stats(limit, key).reset_time - time.time(), 0.001)

    return _call(count)


def reset(limit: RateLimitItem, key: str) -> None:
    """Start counting from zero again."""
    _call(lambda limiter: limiter.clear(limit, key))


def _call(function: Callable[[MovingWindowRateLimiter], T]) -> T:
    if breaker.allows():
        try:
            result = function(shared_limiter(_address()))
        except (RedisError, OSError) as error:
            breaker.failed()
            logger.warning("cache unavailable, this process throttles alone: %s", error)
        else:
            breaker.succeeded()
            return result
    return function(local_limiter())


def _address() -> str:
    """Return that of the cache; in settings it may be in a list."""
    location: Any = settings.CACHES["default"]["LOCATION"]
    return str(location if isinstance(location, str) else location[0])


@cache
def shared_limiter(url: str) -> MovingWindowRateLimiter:
    """Return the limiter that counts in the Redis server at `url`, with the cache's time-outs."""
    options: dict[str, Any] = dict(settings.CACHES["default"].get("OPTIONS", {}))
    kind = import_string(options.pop("pool_class", "redis.ConnectionPool"))
    pool = kind.from_url(url, **options)
    return MovingWindowRateLimiter(RedisStorage("redis://", pool, key_prefix=PREFIX))


@cache
def local_limiter() -> MovingWindowRateLimiter:
    """Return the limiter that counts in this process."""
    return MovingWindowRateLimiter(MemoryStorage())

"""How often things happen: counted in the shared cache, in a window that moves with the clock.

One script of Redis decides and counts, so requests at the same moment cannot pass together. While
the cache is away each process counts alone, and no request waits for it.
"""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import ConnectionPool, RedisError

from footfall.common.breaker import CircuitBreaker

logger = logging.getLogger(__name__)

PREFIX = "footfall-throttle"
T = TypeVar("T")

breaker = CircuitBreaker(reset_after=5.0)  # seconds: then one request asks the cache again


def rate(amount: int, seconds: int) -> RateLimitItem:
    """Return the rate of `amount` in any `seconds`."""
    return RateLimitItemPerSecond(amount, seconds)


def count(rate: RateLimitItem, key: str) -> float:
    """Count one more if the rate allows it; return 0.0, or else the seconds until it would."""

    def hit(counts: MovingWindowRateLimiter) -> float:
        if counts.hit(rate, key):
            return 0.0
        return max(counts.get_window_stats(rate, key).reset_time - time.time(), 0.001)

    return _ask(hit)


def forget(rate: RateLimitItem, key: str) -> None:
    """Count from zero again."""
    _ask(lambda counts: counts.clear(rate, key))


def _ask(act: Callable[[MovingWindowRateLimiter], T]) -> T:
    if breaker.allows():
        try:
            answer = act(shared(str(settings.CACHES["default"]["LOCATION"])))
        except (RedisError, OSError) as error:
            breaker.failed()
            logger.warning("the cache is away, this process throttles alone: %s", error)
        else:
            breaker.succeeded()
            return answer
    return act(alone())


@cache
def shared(address: str) -> MovingWindowRateLimiter:
    """Return the counts in the Redis server at `address`; its time-outs are the cache's."""
    options: Any = settings.CACHES["default"].get("OPTIONS", {})
    pool = ConnectionPool.from_url(address, **options)
    return MovingWindowRateLimiter(RedisStorage("redis://", pool, key_prefix=PREFIX))


@cache
def alone() -> MovingWindowRateLimiter:
    """Return the counts of this process."""
    return MovingWindowRateLimiter(MemoryStorage())

"""Throttles: so many requests of one client, or about one account, in so much time."""

import logging
from typing import Any

from django.core.cache import caches
from rest_framework import throttling

logger = logging.getLogger(__name__)


class FailOpen:
    """The shared cache; while it is away, this process counts alone instead of refusing."""

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return caches["default"].get(key, default)
        except Exception as error:  # of whichever client library the cache has
            logger.warning("the cache is away, this process throttles alone: %s", error)
            return caches["process"].get(key, default)

    def set(self, key: str, value: Any, timeout: float | None = None) -> None:
        try:
            caches["default"].set(key, value, timeout)
        except Exception:
            caches["process"].set(key, value, timeout)


class ByClient(throttling.ScopedRateThrottle):
    """By the view's `throttle_scope`, and the account or else the address of the client.

    The rates are `DEFAULT_THROTTLE_RATES` of the settings; the address is the one that
    `NUM_PROXIES` trusted proxies pass on.
    """

    cache = FailOpen()  # type: ignore[assignment]

"""Throttles: so many requests of one client, or about one account, in so much time."""

import hashlib
import logging
import unicodedata
from collections.abc import Mapping
from typing import Any

from django.core.cache import caches
from rest_framework import throttling
from rest_framework.request import Request
from rest_framework.views import APIView

from eventlog import CircuitBreaker

logger = logging.getLogger(__name__)


breaker = CircuitBreaker(reset_after=5.0)  # seconds: of those who throttle, one asks again


class FailOpen:
    """The shared cache; while it is away, this process counts alone instead of refusing."""

    def get(self, key: str, default: Any = None) -> Any:
        return self._ask("get", key, default)

    def set(self, key: str, value: Any, timeout: float | None = None) -> None:
        self._ask("set", key, value, timeout)

    def _ask(self, method: str, *arguments: Any) -> Any:
        if breaker.allows():
            try:
                answer = getattr(caches["default"], method)(*arguments)
            except Exception as error:  # of whichever client library the cache has
                breaker.failed()
                logger.warning("the cache is away, this process throttles alone: %s", error)
            else:
                breaker.succeeded()
                return answer
        return getattr(caches["process"], method)(*arguments)


class ByClient(throttling.ScopedRateThrottle):
    """By the view's `throttle_scope`, and the account or else the address of the client.

    The rates are `DEFAULT_THROTTLE_RATES` of the settings; the address is the one that
    `NUM_PROXIES` trusted proxies pass on.
    """

    cache = FailOpen()  # type: ignore[assignment]


class ByAccount(throttling.SimpleRateThrottle):
    """By the account that a request is about, whoever sends it and from wherever.

    The view names the fields of the body that say which account, in `account_fields`; the rate is
    that of its `throttle_scope` with `_account` appended.
    """

    cache = FailOpen()  # type: ignore[assignment]

    def __init__(self) -> None:
        """Do nothing: the rate is known once the view is."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        self.scope = f"{view.throttle_scope}_account"  # type: ignore[attr-defined]
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        name = alike(self.named(request, view))
        if not name:
            return None
        known = hashlib.sha256(name.encode(errors="replace")).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": known}

    def named(self, request: Request, view: APIView) -> str:
        """Return what the body calls the account; '' if it names none."""
        data = request.data if isinstance(request.data, Mapping) else {}
        fields: tuple[str, ...] = view.account_fields  # type: ignore[attr-defined]
        return next((str(data[field]) for field in fields if data.get(field)), "")

    def forget(self) -> None:
        """Count no more what this account was asked for so far: it was its owner."""
        if key := getattr(self, "key", None):
            self.cache.set(key, [], self.duration)


def alike(name: str) -> str:
    """Return the same for all spellings of a name that the database takes for one.

    To PostgreSQL an İ in lower case is an i, to Python it is one with a dot above. Only the start
    of a long one counts: normalising takes quadratic time.
    """
    return (
        unicodedata.normalize("NFKC", name.strip()[:1000]).strip().casefold().replace("\u0307", "")
    )

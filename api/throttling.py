"""Throttles: so many requests of one client, or about one account, in so much time.

The rates are `DEFAULT_THROTTLE_RATES` of the settings, by scope; a rate of None is no limit.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING

from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from api import rates

if TYPE_CHECKING:  # it imports the default throttle, which is here
    from rest_framework.views import APIView

IPV6_PREFIX = 64  # bits: the smallest network that a client of IPv6 is given, and all of it is its


class Throttle(SimpleRateThrottle):
    """Counts atomically. Subclasses say what is counted: a scope, and whose count it is."""

    waiting = 0.0
    key: str | None = None

    def __init__(self) -> None:
        """Do nothing: the rate is known once the view is."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        ident = self.ident_of(request, view)
        return ident is None or self.within(self.scope_of(view), ident)

    def ident_of(self, request: Request, view: APIView) -> str | None:
        """Return whose count it is; None: this request is not counted."""
        raise NotImplementedError

    def scope_of(self, view: APIView) -> str:
        scope: str = view.throttle_scope  # type: ignore[attr-defined]
        return scope

    def within(self, scope: str, ident: str) -> bool:
        """Count one; return False if that is too many: `wait` then says for how long."""
        amount, seconds = self.parse_rate(self.THROTTLE_RATES[scope])
        if not amount or not seconds:
            return True
        self.rate_of_ident = rates.rate(amount, seconds)
        key = self.cache_format % {"scope": scope, "ident": ident}
        self.key, self.waiting = key, rates.count(self.rate_of_ident, key)
        return self.waiting == 0.0

    def wait(self) -> float:
        return self.waiting

    def forget(self) -> None:
        """Count from zero again what `within` has counted."""
        if self.key is not None:
            rates.forget(self.rate_of_ident, self.key)


class ByClient(Throttle):
    """By the view's `throttle_scope`, and the account or else the address of the client."""

    def ident_of(self, request: Request, view: APIView) -> str | None:
        return account_or_client(request)


class ByAddress(Throttle):
    """By the view's `throttle_scope` and the address of the client, whatever its account."""

    def ident_of(self, request: Request, view: APIView) -> str | None:
        return client_of(request)


class Writes(Throttle):
    """All writes of one client that have no scope of their own."""

    def ident_of(self, request: Request, view: APIView) -> str | None:
        return None if request.method in SAFE_METHODS else account_or_client(request)

    def scope_of(self, view: APIView) -> str:
        return "write"


class ByAccount(Throttle):
    """By the account that a request is about, wherever it comes from and whatever it is called.

    The view's `account_of(request)` says which; the rate is that of its `throttle_scope` with
    `_account` appended.
    """

    def ident_of(self, request: Request, view: APIView) -> str | None:
        ident: str | None = view.account_of(request)  # type: ignore[attr-defined]
        return ident

    def scope_of(self, view: APIView) -> str:
        return f"{super().scope_of(view)}_account"


def account_or_client(request: Request) -> str:
    """Return the number of the account that asks, or else its client."""
    user = request.user
    return str(user.pk) if user.is_authenticated else client_of(request)


def client_of(request: Request | HttpRequest) -> str:
    """Return the address of the client, as `NUM_PROXIES` trusted proxies pass it on.

    For IPv6 it is the client's network: it may take another of 2^64 addresses for every request.
    """
    found = SimpleRateThrottle.get_ident(Throttle(), request)  # type: ignore[arg-type]
    try:
        address = ipaddress.ip_address(found.partition("%")[0])
    except ValueError:
        return digest(found)  # the path of a socket, say
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def digest(text: str) -> str:
    """Return a short form of a text of any length for the name of a count."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()

"""Throttles: how many requests a client may send, or may send about one account.

The rates are `DEFAULT_THROTTLE_RATES` of the settings, by scope; a rate of None is no limit.
"""

import hashlib
import ipaddress
from typing import Any

from django.http import HttpRequest
from limits import RateLimitItemPerSecond
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from api import rate_limits
from footfall.viewers.addresses import without_port

IPV6_PREFIX = 64  # bits: the smallest network that an IPv6 client gets


class Throttle(SimpleRateThrottle):
    """Counts atomically. Subclasses say what is counted: a scope, and for whom."""

    seconds_to_wait = 0.0
    key: str | None = None

    def __init__(self) -> None:
        """Do nothing: the rate depends on the view."""

    def allow_request(self, request: Request, view: Any) -> bool:
        scope, ident = self.get_scope_and_ident(request, view)
        return ident is None or self.allow(scope, ident)

    def get_scope_and_ident(self, request: Request, view: Any) -> tuple[str, str | None]:
        """Return the scope, and for whom the request is counted; None if it is not counted."""
        raise NotImplementedError

    def allow(self, scope: str, ident: str, count_it: bool = True) -> bool:
        """Count one request and return whether it is within the rate; if not, see `wait`.

        count_it: False only looks whether another one would be.
        """
        amount, seconds = self.parse_rate(self.THROTTLE_RATES[scope])
        if not amount or not seconds:
            return True
        self.limit = RateLimitItemPerSecond(amount, seconds)
        self.key = self.cache_format % {"scope": scope, "ident": ident}
        self.seconds_to_wait = rate_limits.hit(self.limit, self.key, count_it)
        return self.seconds_to_wait == 0.0

    def wait(self) -> float:
        return self.seconds_to_wait

    def reset(self) -> None:
        """Start counting from zero again what `allow` has counted."""
        if self.key is not None:
            rate_limits.reset(self.limit, self.key)


class ClientThrottle(Throttle):
    """Counts the view's `throttle_scope` per user, or per IP address if not authenticated."""

    def get_scope_and_ident(self, request: Request, view: Any) -> tuple[str, str | None]:
        return view.throttle_scope, user_or_ip(request)


class AddressThrottle(Throttle):
    """Counts the view's `throttle_scope` per IP address, even if authenticated."""

    def get_scope_and_ident(self, request: Request, view: Any) -> tuple[str, str | None]:
        return view.throttle_scope, client_ip(request)


class WriteThrottle(Throttle):
    """Counts together all unsafe requests of a client to views without a throttle of their own."""

    def get_scope_and_ident(self, request: Request, view: Any) -> tuple[str, str | None]:
        return "write", None if request.method in SAFE_METHODS else user_or_ip(request)


class AccountThrottle(Throttle):
    """Counts per account that a request is about, from any client and by any of its names.

    The view's `get_account_key(request)` returns that account, or None. The rate is that of the
    view's `throttle_scope` with `_account` appended.
    """

    def get_scope_and_ident(self, request: Request, view: Any) -> tuple[str, str | None]:
        return f"{view.throttle_scope}_account", view.get_account_key(request)


def user_or_ip(request: Request) -> str:
    """Return the id of the authenticated user, else the client's IP address."""
    user = request.user
    return str(user.pk) if user.is_authenticated else client_ip(request)


def client_ip(request: Request | HttpRequest) -> str:
    """Return the IP address of the client, as `NUM_PROXIES` trusted proxies pass it on.

    For IPv6 it is the /64 network: the client may use another of its 2^64 addresses each time.
    """
    # It is None if the server tells no address.
    found = SimpleRateThrottle.get_ident(Throttle(), request) or ""  # type: ignore[arg-type]
    found = without_port(found)
    try:
        address = ipaddress.ip_address(found.partition("%")[0])
    except ValueError:
        return digest(found)  # such as the path of a Unix socket
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def digest(text: str) -> str:
    """Return a short hash of a text of any length, for use in a cache key."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()

"""What an event says of who views: from the headers and the address of its request."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from django.conf import settings

from footfall.conf import conf
from footfall.events import Meta, encode_meta
from footfall.models.viewers import MAX_STRING
from footfall.viewers.addresses import address_of
from footfall.viewers.agents import is_prefetch
from footfall.viewers.memory import memory

MAX_HOST = 255


class HasMeta(Protocol):
    """A request of Django, or of Django REST framework."""

    @property
    def META(self) -> Mapping[str, Any]: ...  # noqa: N802


Source = HasMeta | Mapping[str, Any]
"""A request, or the environ of WSGI: they give the same."""


def viewer_of(source: Source | None) -> bytes:
    """Return visitor and agent as the metadata of an event; b"" without a request.

    This is where all ways of a view ask. It costs some microseconds, and no call of any store.
    """
    if source is None:
        return b""
    environ = source if isinstance(source, Mapping) else source.META
    now = time.monotonic()
    known = memory()
    if now >= known.due:
        known.refresh(now)
    get = environ.get
    is_visitor = conf.COUNTERS_VISITORS
    if conf.COUNTERS_HONOUR_DNT:
        is_visitor = is_visitor and not asks_not_to_be_tracked(environ)
    viewer = known.viewer(
        address_of(environ, conf.COUNTERS_PROXIES),
        get("HTTP_USER_AGENT", "")[:MAX_STRING],
        host_of(environ),
        is_prefetch(environ),
        known.salt(now) if is_visitor else b"",
    )
    if not conf.COUNTERS_AGENTS_PER_DAY:
        return encode_meta(Meta(visitor=viewer.visitor))
    agent = viewer.agent
    if agent.until <= now < agent.again or not agent.tells(now):
        return viewer.meta
    return encode_meta(Meta(visitor=viewer.visitor, agent=agent.hash, told=agent.told))


def asks_not_to_be_tracked(environ: Mapping[str, Any]) -> bool:
    """Tell whether the client sends `DNT: 1` or `Sec-GPC: 1`."""
    return environ.get("HTTP_DNT") == "1" or environ.get("HTTP_SEC_GPC") == "1"


def host_of(environ: Mapping[str, Any]) -> str:
    """Return the site, as `HttpRequest.get_host` finds it, but unchecked."""
    host: str = ""
    if settings.USE_X_FORWARDED_HOST:
        host = environ.get("HTTP_X_FORWARDED_HOST", "")
    return (host or environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""))[:MAX_HOST].lower()

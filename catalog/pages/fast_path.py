"""The fast path to a cached page: before Django's handler and middleware.

It answers only GET requests for a page as JSON. Everything else goes on to Django: a host that is
not allowed, a page that is not cached, Redis being unavailable.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import reverse

from api import idempotency
from api.cors import Cors
from catalog.pages.json_template import fill_template
from catalog.pages.models import Page
from catalog.pages.views import HEADERS, JSON, UNANSWERED_ID, accepts_json, key_of
from footfall.cache import cached_pages

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

HEADER_MIDDLEWARE = (SecurityMiddleware, XFrameOptionsMiddleware, Cors)
"""Middleware that adds response headers, the same for all responses of an origin.

Headers that differ from response to response are added in `FastPath.__call__`.
"""
ORIGIN_KEYS = (
    "wsgi.url_scheme",
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
    "SERVER_NAME",
    "SERVER_PORT",
    "SCRIPT_NAME",
)
"""The keys of the WSGI environ from which `get_origin` computes its result."""

API = "/api/"
"""A path of the API: `CORS_URLS_REGEX` goes by the path."""
MAX_ORIGIN_LENGTH = 2048
"""Characters of these values together; a host name has at most 253."""


class Origin(NamedTuple):
    """What all responses of one scheme and host to one origin have in common."""

    url: str
    """Of the service, without a path."""
    headers: list[tuple[str, str]]


class FastPath:
    """WSGI middleware that answers requests for cached pages."""

    def __init__(self, application: Application) -> None:
        self.application = application
        before, _, after = reverse("page-detail", args=(0,)).rpartition("0")
        # As `<int:pk>`, but without leading zeros, because the path is copied into the response.
        self.match = re.compile(f"{before}([1-9][0-9]{{0,17}}){after}", re.ASCII).fullmatch

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and (
            match := self.match(environ.get("PATH_INFO", ""))
        ):
            values = tuple([environ.get(key) for key in ORIGIN_KEYS])
            # 256 origins are cached: long ones would fill the memory.
            is_short = sum(map(len, filter(None, values))) < MAX_ORIGIN_LENGTH
            origin = get_origin(values) if is_short else None
            if origin and (body := read_and_record(environ, int(match[1]), origin.url + match[0])):
                headers = [*origin.headers, ("Content-Length", str(len(body)))]
                start_response("200 OK", headers)
                return [body]
        return self.application(environ, start_response)


def read_and_record(environ: Environ, pk: int, url: str) -> bytes | None:
    """Return a cached page as JSON and record the view of it, in one call of Redis.

    url: of the page, for the response.

    Returns None if the client wants another format, or sends a wrong key; if the page is not
    cached, or Redis did not answer. Then no view is recorded; if one may be,
    `environ[UNANSWERED_ID]` is its event id.
    """
    if not accepts_json(environ):
        return None
    key = b""
    if idempotency.HEADER in environ:
        if not idempotency.is_valid(environ[idempotency.HEADER]):
            return None
        key = key_of(environ, pk)
    found, unanswered_id = cached_pages.try_read_and_record(Page, pk, environ, key=key)
    if unanswered_id:
        environ[UNANSWERED_ID] = unanswered_id
    return fill_template(found[0], url, found[1:]) if found else None


@lru_cache(maxsize=256)
def get_origin(values: tuple[str | None, ...]) -> Origin | None:
    """Return the base URL and the headers Django would give any request of this origin.

    values: those of `ORIGIN_KEYS`. None if Django must answer.
    """
    environ: Environ = {"REQUEST_METHOD": "GET", "PATH_INFO": API, "wsgi.input": BytesIO()}
    pairs = zip(ORIGIN_KEYS, values, strict=True)
    environ |= {key: value for key, value in pairs if value is not None}
    request = WSGIRequest(environ)

    def empty(request: HttpRequest) -> HttpResponseBase:
        return HttpResponse(content_type=JSON, headers=HEADERS)

    respond: Callable[[HttpRequest], Any] = empty
    for middleware in HEADER_MIDDLEWARE:
        respond = middleware(respond)
    try:
        url = f"{request.scheme}://{request.get_host()}{request.path.removesuffix(API)}"
        response = respond(request)
    except DisallowedHost:
        return None
    return Origin(url, list(response.items())) if response.status_code == 200 else None


setting_changed.connect(lambda **_: get_origin.cache_clear(), weak=False)

"""The short way to a page that is prepared: before Django's handler and all of its middleware.

Only what is beyond doubt is answered here: a GET of a page as JSON. Everything else, a host that is
not allowed, a page that is not prepared, a Redis that is away, goes to Django untouched.
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

from catalog.pages.views import HEADERS, JSON, read_cached

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

SEALS = (SecurityMiddleware, XFrameOptionsMiddleware)
"""The middleware whose headers stand in the answer: they depend on how it was asked, not for what.

Headers that differ from answer to answer are added in `Shortcut.__call__`.
"""
ASKED = (
    "wsgi.url_scheme",
    "HTTP_HOST",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
    "SERVER_NAME",
    "SERVER_PORT",
    "SCRIPT_NAME",
)
"""All of a request that `front` looks at."""

LONGEST = 2048
"""Characters of all that together; a host has 253 at most."""


class Front(NamedTuple):
    """What all answers have in common that were asked for by the same name."""

    url: str
    """Of the service, without a path."""
    headers: list[tuple[str, str]]


class Shortcut:
    """A WSGI application that answers what is prepared, and leaves the rest to `application`."""

    def __init__(self, application: Application) -> None:
        self.application = application
        before, _, after = reverse("page-detail", args=(0,)).rpartition("0")
        # As `<int:pk>` has it, but one way to write each number: it becomes part of the answer.
        self.match = re.compile(f"{before}([1-9][0-9]{{0,17}}){after}", re.ASCII).fullmatch

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and (
            match := self.match(environ.get("PATH_INFO", ""))
        ):
            values = tuple([environ.get(name) for name in ASKED])
            # Kept for 256 names: long ones would fill the memory.
            asked = front(values) if sum(map(len, filter(None, values))) < LONGEST else None
            if asked and (body := read_cached(environ, int(match[1]), asked.url + match[0])):
                headers = [*asked.headers, ("Content-Length", str(len(body)))]
                start_response("200 OK", headers)
                return [body]
        return self.application(environ, start_response)


@lru_cache(maxsize=256)
def front(asked: tuple[str | None, ...]) -> Front | None:
    """Return what Django's own middleware makes of a request; None if it must have its say.

    asked: the values of `ASKED`.
    """
    known = {name: value for name, value in zip(ASKED, asked, strict=True) if value is not None}
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": BytesIO(), **known}
    request = WSGIRequest(environ)

    def empty(request: HttpRequest) -> HttpResponseBase:
        return HttpResponse(content_type=JSON, headers=HEADERS)

    respond: Callable[[HttpRequest], Any] = empty
    for seal in SEALS:
        respond = seal(respond)
    try:
        url = f"{request.scheme}://{request.get_host()}{request.path.rstrip('/')}"
        response = respond(request)
    except DisallowedHost:
        return None
    return Front(url, list(response.items())) if response.status_code == 200 else None


def _forget(**kwargs: object) -> None:
    front.cache_clear()


setting_changed.connect(_forget, dispatch_uid="pages.shortcut")

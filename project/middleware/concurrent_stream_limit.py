"""Limits how many long responses are streamed at the same time, so that threads stay free."""

from collections.abc import Callable
from threading import BoundedSemaphore

from django.conf import settings
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from project.errors.responses import service_unavailable

MAX_BUFFERED = 128 * 1024
"""Bytes. A response up to this size is handed over whole, so that no thread waits for its client.
"""
RETRY_AFTER = 5  # seconds

stream_slots = BoundedSemaphore(settings.DOWNLOADS_AT_ONCE)


class ConcurrentStreamLimit:
    """Middleware that answers 503 while `DOWNLOADS_AT_ONCE` long responses are being sent.

    A streamed response, above all a file from the disk, takes a thread of the web server for as
    long as its client takes to read it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, StreamingHttpResponse):
            return response
        if 0 <= int(response.headers.get("Content-Length", -1)) <= MAX_BUFFERED:
            response.streaming_content = [b"".join(response)]
            return response
        if not stream_slots.acquire(blocking=False):
            return refuse(response)
        resource_closers(response).append(stream_slots.release)
        return response


def resource_closers(response: HttpResponseBase) -> list[Callable[[], object]]:
    """Return the functions that are called once, when the response is closed."""
    found: list[Callable[[], object]] = response._resource_closers  # type: ignore[attr-defined]
    return found


def refuse(response: StreamingHttpResponse) -> JsonResponse:
    """Return a 503 that replaces `response` and closes it."""
    detail = _("Too many files are being downloaded. Try again in a moment.")
    refusal = service_unavailable(detail, RETRY_AFTER)
    resource_closers(refusal).append(response.close)
    return refusal

"""Limits how many long responses are streamed at the same time, so that threads stay free."""

from collections.abc import Callable
from threading import BoundedSemaphore

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from project.errors.responses import service_unavailable

MAX_BUFFERED = 128 * 1024
"""Longest response, in bytes, that is handed over whole, so that no thread waits for its client."""
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
        if stream_slots.acquire(blocking=False):
            call_when_closed(response, stream_slots.release)
            return response
        detail = _("Too many files are being downloaded. Try again in a moment.")
        refusal = service_unavailable(detail, RETRY_AFTER)
        call_when_closed(refusal, response.close)
        return refusal


def call_when_closed(response: HttpResponseBase, function: Callable[[], object]) -> None:
    response._resource_closers.append(function)  # type: ignore[attr-defined]

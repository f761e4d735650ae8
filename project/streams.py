"""Leaves threads to readers, however many clients take their time over a long answer."""

from collections.abc import Callable
from threading import BoundedSemaphore

from django.conf import settings
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from project.errors import unavailable

SHORT = 128 * 1024
"""Bytes. Such an answer is handed over whole: granian sends it, and no thread waits."""
RETRY_AFTER = 5  # seconds

places = BoundedSemaphore(settings.DOWNLOADS_AT_ONCE)


class Streams:
    """Middleware that answers 503 while too many long answers are being sent already.

    What is streamed, a file from the disk above all, takes a thread of the server for as long as
    its client takes to read it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, StreamingHttpResponse):
            return response
        if 0 <= int(response.headers.get("Content-Length", -1)) <= SHORT:
            response.streaming_content = [b"".join(response)]
            return response
        if not places.acquire(blocking=False):
            return refusal(response)
        closers(response).append(Taken().give_back)
        return response


def closers(response: HttpResponseBase) -> list[Callable[[], object]]:
    """Return what is called when the response is closed; Django's own handlers add to it, too."""
    found: list[Callable[[], object]] = response._resource_closers  # type: ignore[attr-defined]
    return found


def refusal(response: StreamingHttpResponse) -> JsonResponse:
    """Return what is answered instead of `response`, which is closed with it."""
    detail = _("Too many files are being downloaded. Try again in a moment.")
    refused = unavailable(detail, RETRY_AFTER)
    closers(refused).append(response.close)
    return refused


class Taken:
    """A place, which is given back once, however often the response is closed."""

    def __init__(self) -> None:
        self.is_given_back = False

    def give_back(self) -> None:
        if not self.is_given_back:
            self.is_given_back = True
            places.release()

"""Reads bodies before anything else is done, and leaves a thread to readers meanwhile."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import reverse

from api import encodings
from project.errors import malformed, unavailable
from uploads.web.body_slots import TooManyBodies, body_slot

API_BYTES = 256 * 1024
"""Of a body for the API; the longest text there has 10,000 characters. JSON takes a hundred times
its size in memory."""


class Bodies:
    """Middleware behind which no client is waited for: a body is there in full, or there is none.

    A view may open a transaction and lock what it likes. Uploads are the exception: they receive
    their file themselves, to the disk, and lock nothing until it is there.

    A body takes a thread of the server for as long as its client takes to send it, and granian has
    no limit of time for that. So only so many are there at once, uploads included; others are 503.
    A request keeps its place until it is answered: writers that wait for a lock leave threads, too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.uploads = {reverse("upload"), reverse("upload-page")}
        encodings.install()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not has_body(request):
            return self.get_response(request)
        try:
            encodings.content_type(request.META.get("CONTENT_TYPE", ""))
        except encodings.UnsupportedEncoding as error:
            return malformed(request, error)
        if request.path_info in self.uploads:
            return self.get_response(request)
        try:
            with body_slot():
                return self.get_response(request) if (failed := read(request)) is None else failed
        except TooManyBodies as error:
            return unavailable(str(error.detail), error.wait)


def has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH", "") not in ("", "0") or (
        "HTTP_TRANSFER_ENCODING" in request.META
    )


def read(request: HttpRequest) -> HttpResponse | None:
    """Have `request.body` read. Return the answer if it is too large or ends too early."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > limit(request):
            raise RequestDataTooBig
        if len(request.body) < length:  # granian takes a connection that was cut for the end
            raise BadRequest
    except (RequestDataTooBig, BadRequest, UnreadablePostError, ValueError) as error:
        return malformed(request, error)
    return None


def limit(request: HttpRequest) -> int:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    return min(API_BYTES, most) if request.path_info.startswith("/api/") else most

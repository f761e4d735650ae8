"""Reads request bodies before the view runs, and limits how many are read at the same time."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import reverse

from api import encodings
from project.errors.responses import bad_request, service_unavailable
from uploads.web.body_slots import TooManyBodies, body_slot

API_MAX_BYTES = 256 * 1024
"""Longest body that the API accepts. The longest text has 10,000 characters; parsed JSON takes a
hundred times its size in memory."""


class ConcurrentBodyLimit:
    """Hands a request on once its whole body is in memory, so that no view waits for a client.

    Views may therefore open a transaction and take locks. Uploads are the exception: their views
    write the body to disk themselves, and take no lock before it is complete.

    Receiving a body takes a thread for as long as the client takes to send it, and granian has no
    time limit for that. So a process receives `UPLOADS_AT_ONCE` bodies at a time, uploads included;
    others get 503. A request keeps its slot until it is answered, because a view that waits for a
    database lock takes a thread, too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.uploads = {reverse("upload"), reverse("upload-page")}
        encodings.install()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not has_body(request):
            return self.get_response(request)
        try:
            encodings.parse_content_type(request.META.get("CONTENT_TYPE", ""))
        except encodings.UnsupportedEncoding as error:
            return bad_request(request, error)
        if request.path_info in self.uploads:
            return self.get_response(request)
        try:
            with body_slot():
                return read_body(request) or self.get_response(request)
        except TooManyBodies as error:
            return service_unavailable(str(error.detail), error.wait)


def has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH", "") not in ("", "0") or (
        "HTTP_TRANSFER_ENCODING" in request.META
    )


def read_body(request: HttpRequest) -> HttpResponse | None:
    """Read `request.body`. Returns an error response if it is too large or ends too early."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > max_bytes(request):
            raise RequestDataTooBig
        if len(request.body) < length:  # granian reports a broken connection as the end of the body
            raise BadRequest
    except (RequestDataTooBig, BadRequest, UnreadablePostError, ValueError) as error:
        return bad_request(request, error)
    return None


def max_bytes(request: HttpRequest) -> int:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    return min(API_MAX_BYTES, limit) if request.path_info.startswith("/api/") else limit

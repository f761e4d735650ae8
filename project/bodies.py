"""Leaves a thread to readers, however many clients take their time over a body."""

from collections.abc import Callable

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from uploads.receiving import PATIENCE, places
from uploads.refusals import Busy


class Bodies:
    """Middleware that answers 503 while too many bodies are on their way already.

    A body takes a thread of the server for as long as its client takes to send it, and granian has
    no limit of time for that. Uploads take one of the same places by themselves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.uploads = {reverse("upload"), reverse("upload-page")}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not has_body(request) or request.path_info in self.uploads:
            return self.get_response(request)
        if not places.acquire(timeout=PATIENCE):
            headers = {"Retry-After": str(Busy.wait)}
            return JsonResponse({"detail": str(Busy.default_detail)}, status=503, headers=headers)
        try:
            return self.get_response(request)
        finally:
            places.release()


def has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH", "") not in ("", "0") or (
        "HTTP_TRANSFER_ENCODING" in request.META
    )

"""What is answered when there is no answer: JSON to a client of the API, always."""

import logging
import sys
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_exception_handler

from api.answers import TOO_LARGE
from api.encodings import UnsupportedEncoding
from footfall.record import Unacknowledged

logger = logging.getLogger(__name__)

RETRY_AFTER = "1"  # seconds
AWAY = (Unacknowledged, OperationalError, InterfaceError)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer 503 with Retry-After for a store that is away, 409 for a race, else as DRF does."""
    line = str(error).strip().partition("\n")[0]
    if isinstance(error, IntegrityError):
        # What was right when it was checked is not any more: its category was deleted, say.
        logger.warning("answered 409: %s", line)
        text = _("Something else was changed at the same moment. Try again.")
        return Response({"detail": text}, status=status.HTTP_409_CONFLICT)
    if isinstance(error, UnsupportedEncoding):
        return Response({"detail": str(error)}, status.HTTP_415_UNSUPPORTED_MEDIA_TYPE)
    if not isinstance(error, AWAY):
        return rest_exception_handler(error, context)
    logger.warning("answered 503: %s", line)
    return Response(
        {"detail": _("A store is away. Try again in a moment.")},
        status=status.HTTP_503_SERVICE_UNAVAILABLE,
        headers={"Retry-After": RETRY_AFTER},
    )


def malformed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400, for a request that Django itself refuses; 413 if its body is too large.

    415 if it names an encoding that is not read here: in JSON everywhere, uploads come by programs.
    """
    if isinstance(exception, UnsupportedEncoding):
        return JsonResponse({"detail": str(exception)}, status=415)
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return JsonResponse({"detail": TOO_LARGE.description}, status=413)
    return JsonResponse({"detail": str(ParseError.default_detail)}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, for an address that leads nowhere."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": _("There is nothing at this address.")}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Answer 500, for an error that was not foreseen; 503 if a store is away."""
    if isinstance(sys.exc_info()[1], AWAY):  # Django calls this while it handles the error
        return away(request)
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    return JsonResponse({"detail": _("Something is broken here. It was logged.")}, status=500)


def away(request: HttpRequest) -> HttpResponse:
    """Answer 503 with Retry-After, where Django REST framework has no say: the admin, say."""
    text = _("A store is away. Try again in a moment.")
    if request.path.startswith("/api/"):
        return unavailable(text, RETRY_AFTER)
    headers = {"Retry-After": RETRY_AFTER, "Content-Type": "text/plain; charset=utf-8"}
    return HttpResponse(text, status=503, headers=headers)


def unavailable(detail: str, seconds: str | int) -> JsonResponse:
    """Answer 503 in JSON: the client may try again after so many `seconds`."""
    return JsonResponse({"detail": detail}, status=503, headers={"Retry-After": str(seconds)})

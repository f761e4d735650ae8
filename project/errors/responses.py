"""Error responses: always JSON for the API."""

import logging
import sys
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework.exceptions import ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from api.encodings import UnsupportedEncoding
from api.openapi_responses import TOO_LARGE
from api.unavailable import TRY_AGAIN
from footfall.common.unavailable import is_database_away
from footfall.record import Unacknowledged

logger = logging.getLogger(__name__)

RETRY_AFTER = "1"  # seconds


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's handler, with 503 for an unavailable database or log, and 409 for a race."""
    line = str(error).strip().partition("\n")[0]
    if isinstance(error, IntegrityError):
        # Valid when it was checked, but not any more: its category was deleted meanwhile.
        logger.warning("answered 409: %s", line)
        text = _("Something else was changed at the same moment. Try again.")
        return Response({"detail": text}, status=409)
    if isinstance(error, UnsupportedEncoding):
        return Response({"detail": str(error)}, status=415)
    if not is_unavailable(error):
        return drf_exception_handler(error, context)
    logger.warning("answered 503: %s", line)
    return service_unavailable(str(TRY_AGAIN), RETRY_AFTER)


def is_unavailable(error: BaseException | None) -> bool:
    return isinstance(error, Unacknowledged) or is_database_away(error)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 for a request that Django refuses, 413 if its body is too large.

    An unsupported encoding is 415, in JSON outside the API as well.
    """
    if isinstance(exception, UnsupportedEncoding):
        return JsonResponse({"detail": str(exception)}, status=415)
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return JsonResponse({"detail": TOO_LARGE}, status=413)
    return JsonResponse({"detail": str(ParseError.default_detail)}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 for an unknown URL."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": _("There is nothing at this address.")}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 for an unexpected error, 503 for an unavailable database or log."""
    is_api = request.path.startswith("/api/")
    if is_unavailable(sys.exc_info()[1]):  # Django calls this while handling the error
        if is_api:
            return service_unavailable(str(TRY_AGAIN), RETRY_AFTER)
        headers = {"Retry-After": RETRY_AFTER, "Content-Type": "text/plain; charset=utf-8"}
        return HttpResponse(TRY_AGAIN, status=503, headers=headers)
    if not is_api:
        return defaults.server_error(request)
    return JsonResponse({"detail": _("An internal error occurred. It was logged.")}, status=500)


def service_unavailable(detail: str, seconds: str | int) -> JsonResponse:
    """Answer 503 in JSON; the client may try again after `seconds`."""
    return JsonResponse({"detail": detail}, status=503, headers={"Retry-After": str(seconds)})

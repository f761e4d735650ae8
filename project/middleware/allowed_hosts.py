"""Answers a host that is not allowed the same way in debug mode as without it."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost, MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from project.errors.responses import bad_request

logger = logging.getLogger("django.security.DisallowedHost")  # Django's own logger for this


class AllowedHosts:
    """In debug mode answers 400, where Django would show its debug page to any client.

    Without debug mode Django answers 400 itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.DEBUG:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost as error:
            logger.error("%s", error, extra={"status_code": 400, "request": request})
            return bad_request(request, error)
        return self.get_response(request)

"""A host that is not allowed is answered in debug mode as it is without."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost, MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from project.errors import malformed

logger = logging.getLogger("django.security.DisallowedHost")  # as Django names it


class Hosts:
    """Answers 400 where Django would show its page for developers, to any client that asks.

    Without debug mode Django does so by itself.
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
            return malformed(request, error)
        return self.get_response(request)

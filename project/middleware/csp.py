"""The Content-Security-Policy header."""

from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class HTMLOnlyCSPMiddleware(CSPMiddleware):
    """Adds `CONTENT_SECURITY_POLICY` to HTML only; JSON does not need it."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)

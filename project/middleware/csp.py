"""The Content-Security-Policy header."""

from typing import Any

from csp.middleware import CSPMiddleware
from django.http import HttpRequest


class HTMLOnlyCSPMiddleware(CSPMiddleware):
    """Adds `CONTENT_SECURITY_POLICY` to HTML only; JSON does not need it."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)

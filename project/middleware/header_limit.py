"""Limits the length of request headers."""

import json
from collections.abc import Callable, Iterable
from typing import Any

MAX_BYTES = 8 * 1024
"""Longest header that is accepted, in bytes. The web server joins headers of the same name."""
STATUS = "431 Request Header Fields Too Large"
# Not translated: there is no request yet that has a language.
BODY = json.dumps({"detail": f"A header is longer than {MAX_BYTES} bytes."}).encode()


class HeaderLimit:
    """WSGI middleware that refuses longer headers before they are parsed.

    Some header parsers take quadratic time.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        for name, value in environ.items():
            if name.startswith(("HTTP_", "CONTENT_")) and len(value) > MAX_BYTES:
                headers = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]
                start_response(STATUS, headers)
                return [BODY]
        return self.application(environ, start_response)

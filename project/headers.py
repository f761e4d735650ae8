"""Headers of a size that can be worked with."""

import json
from collections.abc import Callable, Iterable
from typing import Any

MOST = 8 * 1024
"""Bytes of one header, as nginx has it. Several of one name are one: the server joins them."""
STATUS = "431 Request Header Fields Too Large"


class Bounded:
    """A WSGI application that refuses longer headers before `application` looks at any.

    What parses headers is quick as long as they are short; some of it takes quadratic time.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        for name, value in environ.items():
            if name.startswith(("HTTP_", "CONTENT_")) and len(value) > MOST:
                return refuse(start_response)
        return self.application(environ, start_response)


def refuse(start_response: Callable[..., Any]) -> list[bytes]:
    # There is no request yet that would tell the language.
    body = json.dumps({"detail": f"A header is longer than {MOST} bytes."}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(STATUS, headers)
    return [body]

"""`Idempotency-Key`: a request that is sent again has no second effect."""

import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from api.throttling import client_ip

NAME = "Idempotency-Key"
HEADER = "HTTP_IDEMPOTENCY_KEY"
"""In the environ, or `request.META`."""
PATTERN = "[A-Za-z0-9_-]{16,64}"
is_valid = re.compile(PATTERN).fullmatch


class InvalidKey(ValidationError):
    def __init__(self) -> None:
        super().__init__({NAME: [_("Not 16 to 64 of A-Z, a-z, 0-9, - and _.")]})


def parameter(description: str) -> OpenApiParameter:
    """Return the header, for `extend_schema(parameters=...)`."""
    schema = {"type": "string", "pattern": f"^{PATTERN}$"}
    return OpenApiParameter(NAME, schema, OpenApiParameter.HEADER, description=description)


def client_of(environ: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells this client from others: its token, or its address and user agent.

    The token is not looked up: a client that makes one up only has keys of its own.
    """
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() == "token" and token:
        return ("token", token.strip())
    forwarded = {"x-forwarded-for": environ.get("HTTP_X_FORWARDED_FOR")}
    request: Any = SimpleNamespace(META=environ, headers=forwarded)
    return ("address", client_ip(request), environ.get("HTTP_USER_AGENT", ""))

"""Error responses, as the OpenAPI schema describes them."""

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class ProblemSerializer(serializers.Serializer[object]):
    detail = serializers.CharField()


INVALID = OpenApiResponse(
    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    "A parameter is wrong: what is wrong with it, by its name.",
)
BAD_REQUEST = OpenApiResponse(
    {
        "type": "object",
        "additionalProperties": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        },
    },
    "What is wrong, by the name of the field or parameter; `detail` for the request as a whole.",
)
UNAUTHENTICATED = OpenApiResponse(ProblemSerializer, "The token is missing, or not valid.")
FORBIDDEN = OpenApiResponse(ProblemSerializer, "This account has no permission for it.")
NOT_FOUND = OpenApiResponse(ProblemSerializer, "Not found.")
CONFLICT = OpenApiResponse(
    ProblemSerializer, "Another object depends on it, or was changed at the same moment."
)
PRECONDITION_FAILED = OpenApiResponse(
    ProblemSerializer, "The object was changed: `If-Match` fails."
)
TOO_LARGE = OpenApiResponse(ProblemSerializer, "The body is too large.")
UNSUPPORTED_TYPE = OpenApiResponse(ProblemSerializer, "The type of the body is not supported.")
THROTTLED = OpenApiResponse(ProblemSerializer, "Too many requests; `Retry-After` says how long.")
UNAVAILABLE = OpenApiResponse(
    ProblemSerializer, "Temporarily unavailable; `Retry-After` says when to try again."
)

BY_STATUS = {
    400: BAD_REQUEST,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: CONFLICT,
    412: PRECONDITION_FAILED,
    413: TOO_LARGE,
    415: UNSUPPORTED_TYPE,
    429: THROTTLED,
    503: UNAVAILABLE,
}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the responses with these statuses, for `extend_schema(responses=...)`."""
    return {status: BY_STATUS[status] for status in statuses}


READING = errors(401, 404, 503)
"""Errors of a read that looks at the token."""
DELETING = errors(401, 403, 404, 409, 429, 503)
"""Errors of a deletion."""
WRITING = errors(400, 401, 403, 409, 415, 429, 503)
"""Errors of a write; a write to an existing object adds 404."""

"""Error responses, as the OpenAPI schema describes them."""

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

TOO_LARGE = "The body is too large."


class ProblemSerializer(serializers.Serializer[object]):
    detail = serializers.CharField()


MESSAGES = {"type": "array", "items": {"type": "string"}}
INVALID = OpenApiResponse(
    {"type": "object", "additionalProperties": MESSAGES},
    "A parameter is wrong: what is wrong with it, by its name.",
)
BAD_REQUEST = OpenApiResponse(
    {"type": "object", "additionalProperties": {"oneOf": [{"type": "string"}, MESSAGES]}},
    "What is wrong, by the name of the field or parameter; `detail` for the request as a whole.",
)
PROBLEMS = {
    status: OpenApiResponse(ProblemSerializer, description)
    for status, description in {
        401: "The token is missing, or not valid.",
        403: "This account has no permission for it.",
        404: "Not found.",
        409: "Another object depends on it, or was changed at the same moment.",
        412: "The object was changed: `If-Match` fails.",
        413: TOO_LARGE,
        415: "The type of the body is not supported.",
        429: "Too many requests; `Retry-After` says how long.",
        503: "Temporarily unavailable; `Retry-After` says when to try again.",
    }.items()
}
BY_STATUS = {400: BAD_REQUEST, **PROBLEMS}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the responses with these statuses, for `extend_schema(responses=...)`."""
    return {status: BY_STATUS[status] for status in statuses}


READING = errors(401, 404, 503)
"""Errors of a read that looks at the token."""
DELETING = errors(401, 403, 404, 409, 429, 503)
"""Errors of a deletion."""
WRITING = errors(400, 401, 403, 409, 415, 429, 503)
"""Errors of a write; a write to an existing object adds 404."""

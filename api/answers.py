"""The answers that are not the one asked for, as the schema describes them."""

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class ProblemSerializer(serializers.Serializer[object]):
    detail = serializers.CharField()


INVALID = OpenApiResponse(
    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    "A parameter is wrong: what is wrong with it, by its name.",
)
REFUSED = OpenApiResponse(
    {
        "type": "object",
        "additionalProperties": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        },
    },
    "What is wrong, by the name of the field or parameter; `detail` for the request as a whole.",
)
UNAUTHENTICATED = OpenApiResponse(ProblemSerializer, "The token is missing, or not valid.")
FORBIDDEN = OpenApiResponse(ProblemSerializer, "Not for this account.")
NOT_FOUND = OpenApiResponse(ProblemSerializer, "There is no such thing.")
CONFLICT = OpenApiResponse(
    ProblemSerializer, "Something else depends on it, or was changed at the same moment."
)
STALE = OpenApiResponse(ProblemSerializer, "It is not what `If-Match` names any more.")
TOO_LARGE = OpenApiResponse(ProblemSerializer, "The body is larger than what is read here.")
UNSUPPORTED = OpenApiResponse(ProblemSerializer, "The body is of a type that is not read here.")
THROTTLED = OpenApiResponse(ProblemSerializer, "Too many requests; `Retry-After` says how long.")
UNAVAILABLE = OpenApiResponse(
    ProblemSerializer, "A store is away; `Retry-After` says for how long."
)

BY_STATUS = {
    400: REFUSED,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: CONFLICT,
    412: STALE,
    413: TOO_LARGE,
    415: UNSUPPORTED,
    429: THROTTLED,
    503: UNAVAILABLE,
}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the description of the answers with these statuses, for `extend_schema`."""
    return {status: BY_STATUS[status] for status in statuses}


READING = errors(401, 404, 503)
"""How a read can fail where a token is looked at."""
DELETING = errors(401, 403, 404, 409, 429, 503)
"""How a removal can fail."""
WRITING = errors(400, 401, 403, 409, 415, 429, 503)
"""How a write can fail; one of something that is there also with 404."""

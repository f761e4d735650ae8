"""The answers that are not the one asked for, as the schema describes them."""

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class ProblemSerializer(serializers.Serializer[object]):
    detail = serializers.CharField()


INVALID = OpenApiResponse(
    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    "A parameter is wrong: what is wrong with it, by its name.",
)
NOT_FOUND = OpenApiResponse(ProblemSerializer, "There is no such thing.")
UNAVAILABLE = OpenApiResponse(
    ProblemSerializer, "A store is away; `Retry-After` says for how long."
)

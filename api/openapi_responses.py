"""What the OpenAPI schema says of every operation: its errors, and who needs an account."""

from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

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
BY_STATUS = {400: BAD_REQUEST} | {
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
        507: "The storage has no room for it; `Retry-After` says when to try again.",
    }.items()
}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the responses with these statuses, for `extend_schema(responses=...)`."""
    return {status: BY_STATUS[status] for status in statuses}


class FilterExtension(DjangoFilterExtension):  # type: ignore[no-untyped-call]
    """Takes no GeoDjango into account: to look for its library starts some dozen processes."""

    priority = 1
    _has_gis = False


class Schema(AutoSchema):
    """Adds the errors that follow from the view; `extend_schema` names the others.

    A view may set `may_conflict` and `may_be_unavailable`.
    """

    def get_auth(self) -> Any:
        """Return how a request authenticates; nothing, where anyone may read."""
        auths = super().get_auth()  # it describes the ways, too
        return [{}] if self.method in SAFE_METHODS and self._is_public() else auths

    def _is_public(self) -> bool:
        anonymous: Any = SimpleNamespace(method=self.method, user=AnonymousUser(), auth=None)
        permissions = self.view.get_permissions()
        return all(one.has_permission(anonymous, self.view) for one in permissions)

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        describe: Any = self._get_response_for_code
        for status in self.get_error_statuses():
            bodies.setdefault(str(status), describe(BY_STATUS[status], str(status)))
        return bodies

    def get_error_statuses(self) -> list[int]:
        view: Any = self.view
        authenticates = bool(view.authentication_classes)
        is_write = self.method not in SAFE_METHODS
        is_list = self._is_list_view()
        has_body = is_write and self.method != "DELETE" and bool(self.get_request_serializer())
        by_status = {
            400: has_body or (is_list and bool(getattr(view, "filterset_class", None))),
            401: authenticates,
            403: authenticates and is_write,
            404: is_list or "{" in self.path,
            409: is_write and getattr(view, "may_conflict", False),
            415: has_body,
            429: is_write,
            503: getattr(view, "may_be_unavailable", True),
        }
        return [status for status, may_happen in by_status.items() if may_happen]

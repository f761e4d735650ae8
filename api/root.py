"""The root of the API: the URLs of everything else."""

from collections.abc import Mapping

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from api.permissions import Public

URLS = {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}


class APIRoot(Public, APIView):
    """The URLs of the API, by name."""

    may_be_unavailable = False
    names: Mapping[str, str] = {}
    """Name at the root -> name of the URL pattern."""

    @extend_schema(operation_id="root", responses={200: URLS})
    def get(self, request: Request) -> Response:
        return Response({key: reverse(name, request=request) for key, name in self.names.items()})

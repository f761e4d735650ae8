"""The root of the API, where a client finds everything else."""

from collections.abc import Mapping

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

ADDRESSES = {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}


class APIRoot(APIView):
    """The addresses of the API, by name."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    names: Mapping[str, str] = {}
    """What is found at the root -> the name of its route."""

    @extend_schema(operation_id="root", responses={200: ADDRESSES})
    def get(self, request: Request) -> Response:
        return Response(
            {found: reverse(name, request=request) for found, name in self.names.items()}
        )

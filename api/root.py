"""The root of the API: the URLs of everything else."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.routers import APIRootView

from api.openapi_responses import Schema
from api.permissions import Public

URLS = {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}


@extend_schema_view(get=extend_schema(operation_id="root", responses={200: URLS}))
class APIRoot(Public, APIRootView):
    """The URLs of the API, by name."""

    schema = Schema()
    may_be_unavailable = False

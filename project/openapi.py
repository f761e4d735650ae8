"""The OpenAPI schema, generated once per language and format: it takes a second."""

from threading import BoundedSemaphore, Lock
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from api.unavailable import Unavailable

cached: dict[tuple[str, type[Any]], HttpResponse] = {}
lock = Lock()
"""drf-spectacular is not thread-safe."""
waiting = BoundedSemaphore(3)
"""Threads that may wait for the schema."""


class GeneratingSchema(Unavailable):
    """Other requests are waiting for the schema already."""

    default_detail = gettext_lazy("The schema is being generated. Try again in a moment.")
    default_code = "generating_schema"


class CachedSchemaView(SpectacularAPIView):
    """Serves the schema. Only the format and `lang` matter, not other parameters or permissions."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        language = request.GET.get("lang", "")
        if language not in dict(settings.LANGUAGES):
            language = translation.get_language() or settings.LANGUAGE_CODE
        key = language, type(request.accepted_renderer)
        schema = cached.get(key) or self._generate(request, key)
        return HttpResponse(schema.content, headers=dict(schema.headers))

    def _generate(self, request: Request, key: tuple[str, type[Any]]) -> HttpResponse:
        if not waiting.acquire(blocking=False):
            raise GeneratingSchema
        try:
            with lock, translation.override(key[0]):
                if key not in cached:
                    cached[key] = self._render(request)
                return cached[key]
        finally:
            waiting.release()

    def _render(self, request: Request) -> HttpResponse:
        response = self._get_schema_response(request)  # type: ignore[no-untyped-call]
        response.accepted_renderer = request.accepted_renderer
        response.accepted_media_type = request.accepted_media_type
        response.renderer_context = self.get_renderer_context()
        return HttpResponse(response.rendered_content, headers=dict(response.headers))

    def _get_version_parameter(self, request: Request) -> None:
        """There is only one version."""

"""The OpenAPI schema: made once for each language and format, since it takes a second to make."""

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

made: dict[tuple[str, type[Any]], HttpResponse] = {}
one = Lock()
"""drf-spectacular fails where two threads make one."""
waiting = BoundedSemaphore(3)
"""Threads that may wait for it."""


class BeingMade(Unavailable):
    """Others wait for it already."""

    default_detail = gettext_lazy("The schema is being made. Try again in a moment.")
    default_code = "being_made"


class Schema(SpectacularAPIView):
    """Answers with the schema; neither rights nor parameters other than `lang` change it."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        language = request.GET.get("lang", "")
        if language not in dict(settings.LANGUAGES):
            language = translation.get_language() or settings.LANGUAGE_CODE
        key = language, type(request.accepted_renderer)
        kept = made.get(key) or self._make(request, key)
        return HttpResponse(kept.content, headers=dict(kept.headers))

    def _make(self, request: Request, key: tuple[str, type[Any]]) -> HttpResponse:
        if not waiting.acquire(blocking=False):
            raise BeingMade
        try:
            with one, translation.override(key[0]):
                if key not in made:
                    made[key] = self._render(request)
                return made[key]
        finally:
            waiting.release()

    def _render(self, request: Request) -> HttpResponse:
        response = self._get_schema_response(request)  # type: ignore[no-untyped-call]
        renderer = request.accepted_renderer
        body = renderer.render(response.data, renderer.media_type, self.get_renderer_context())
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        response.headers["Content-Type"] = f"{renderer.media_type}{charset}"
        return HttpResponse(body, headers=dict(response.headers))

    def _get_version_parameter(self, request: Request) -> None:
        """There is one version."""

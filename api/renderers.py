"""The browsable API."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user
from rest_framework.renderers import BrowsableAPIRenderer

INLINE_STYLE = ' style="float: right; margin-right: 10px"'


class BrowsableAPI(BrowsableAPIRenderer):
    """DRF's pages without inline styles, which the policy refuses.

    Views that look at no token look at no session either. The user in the header is that of the
    session all the same.
    """

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        page = super().render(data, accepted_media_type, renderer_context)
        return page.replace(INLINE_STYLE, " data-right") if page else page

    def get_context(self, data: Any, accepted_media_type: Any, renderer_context: Any) -> Any:
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["user"] = get_user(renderer_context["request"]._request)
        context["code_style"] = ""
        return context

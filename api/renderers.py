"""The browsable API."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user
from django.utils.translation import get_language, gettext
from rest_framework.renderers import BrowsableAPIRenderer

INLINE_STYLE = ' style="float: right; margin-right: 10px"'
FORMATS = 'dropdown-toggle js-tooltip" data-toggle="dropdown"'
"""The button with the formats, which has no name once a script has taken its title."""


class BrowsableAPI(BrowsableAPIRenderer):
    """DRF's pages without inline styles, which the policy refuses, and with what they lack.

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
        if not page:
            return page
        page = page.replace("<html>", f'<html lang="{get_language()}">', 1)
        label = gettext("Format")
        page = page.replace(FORMATS, f'{FORMATS} aria-label="{label}"', 1)
        return page.replace(INLINE_STYLE, " data-right")

    def get_context(self, data: Any, accepted_media_type: Any, renderer_context: Any) -> Any:
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["user"] = get_user(renderer_context["request"]._request)
        context["code_style"] = ""
        return context

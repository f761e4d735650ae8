"""Requests whose `Content-Type` names an encoding that is none of texts."""

from typing import Any

from django.core.handlers.wsgi import WSGIRequest


class Readable(WSGIRequest):
    """Takes such a name (rot13, hex) for one that is not known; Django breaks off over it.

    It does so before there is a request that could be answered.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except LookupError:
            self._encoding = None

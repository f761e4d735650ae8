"""A page's answer with places left open: for its address, which depends on who asks, and counters.

What else a type of content shows must be its own fields: an edit of anything else is not noticed.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.renderers import JSONRenderer


def template_of(page: Mapping[str, Any]) -> bytes:
    """Return the template of a page as it was serialized.

    Filled in, it is byte for byte what the page is rendered to.
    """
    mark = secrets.token_hex(16)  # stands in nobody's title
    contents = [{**content, "counter": mark} for content in page["contents"]]
    rendered: bytes = JSONRenderer().render({**page, "url": mark, "contents": contents})
    return rendered.replace(b"%", b"%%").replace(f'"{mark}"'.encode(), b"%b")


def fill_in(template: bytes, url: str, counters: Sequence[bytes]) -> bytes:
    """Return the answer, as JSON. counters: of the page's contents, in their order."""
    return template % (json.dumps(url).encode(), *counters)

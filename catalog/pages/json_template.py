"""The JSON of a page as a template: without its URL, which depends on the request, and counters.

A type of content may only show its own fields: changes of anything else do not invalidate it.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.renderers import JSONRenderer


def make_template(page: Mapping[str, Any]) -> bytes:
    """Return the template of a serialized page.

    Filled, it is byte for byte the same as the rendered page.
    """
    placeholder = secrets.token_hex(16)  # occurs in no title
    contents = [{**content, "counter": placeholder} for content in page["contents"]]
    rendered: bytes = JSONRenderer().render({**page, "url": placeholder, "contents": contents})
    return rendered.replace(b"%", b"%%").replace(f'"{placeholder}"'.encode(), b"%b")


def fill_template(template: bytes, url: str, counters: Sequence[bytes]) -> bytes:
    """Return the page as JSON. counters: of its contents, in their order."""
    return template % (json.dumps(url).encode(), *counters)

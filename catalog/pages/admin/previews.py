"""Previews of contents in the admin: what plays, and what a page may load for it."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from catalog.pages.models import Content, Video

HOST = re.compile(r"(?:[a-z0-9-]+\.)*[a-z0-9-]+|\[[0-9a-f:.]+\]")
MAX_ORIGINS = 50
"""In a header that servers limit to some kilobytes."""


def render_video(video: Video, is_playable: bool) -> SafeString:
    """Return a player that loads nothing before it is started.

    The subtitles are a track of it if they come from this service: a browser takes others only if
    their server allows it, and then refuses the video if its server does not.
    """
    context = {
        "content": video,
        "video": video.video_url if is_playable and origin(video.video_url) else "",
        "subtitles": video.subtitles_url if origin(video.subtitles_url) else "",
        "has_track": origin(video.subtitles_url) == origin(settings.SITE_URL),
    }
    return render_to_string("admin/pages/content/video.html", context)


def origin(address: str) -> str | None:
    """Return the origin of a web address, "https://example.com:8443"; None if it is another."""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return None
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def allow_media(response: HttpResponse, contents: Iterable[Content]) -> None:
    """Let the page load media from the servers that these contents name, and from no others."""
    videos = (content for content in contents if isinstance(content, Video))
    origins = {origin(video.video_url) for video in videos} - {None}
    updated: Any = response
    updated._csp_update = {"media-src": sorted(map(str, origins))[:MAX_ORIGINS]}

"""A constant body of the size of a page: as fast as a Django view can be."""

import json

from django.http import HttpRequest, HttpResponse
from django.views import View

CONTENT = {
    "id": 150000,
    "type": "video",
    "title": "Why we still need the libraries of Esztergom",
    "counter": 1000,
    "video_url": "http://example.com/videos/0123456789.mp4",
    "subtitles_url": "http://example.com/videos/0123456789.vtt",
}
BODY = json.dumps(
    {
        "id": 10000,
        "title": "Notes on the staircases of Aberdeen",
        "url": "http://127.0.0.1:8000/api/v1/pages/10000/",
        "contents": [CONTENT] * 15,
    },
    separators=(",", ":"),
).encode()


class Page(View):
    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        headers = {"Cache-Control": "no-store", "Content-Length": str(len(BODY))}
        return HttpResponse(BODY, content_type="application/json", headers=headers)

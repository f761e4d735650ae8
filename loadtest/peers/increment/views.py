"""`F("counter") + 1` in the request: one UPDATE for all contents of the page."""

from rest_framework.request import Request

from loadtest.peers.pages.counting import add_one
from loadtest.peers.pages.models import Content
from loadtest.peers.pages.views import PageView


class Page(PageView):
    def count(self, request: Request, contents: list[Content]) -> None:
        add_one([content.pk for content in contents])

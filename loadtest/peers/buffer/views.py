"""HINCRBY in the request, one per content in one pipeline; a task flushes the hash every second."""

from rest_framework.request import Request

from loadtest.peers.buffer.hash import VIEWS, client
from loadtest.peers.pages.models import Content
from loadtest.peers.pages.views import PageView


class Page(PageView):
    def count(self, request: Request, contents: list[Content]) -> None:
        pipeline = client.pipeline(transaction=False)
        for content in contents:
            pipeline.hincrby(VIEWS, str(content.pk), 1)
        pipeline.execute()

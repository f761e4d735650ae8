"""celery-batches: one task per view, carried out a thousand at a time, or every second."""

from rest_framework.request import Request

from loadtest.peers.batches.tasks import count
from loadtest.peers.pages.models import Content
from loadtest.peers.pages.views import PageView


class Page(PageView):
    def count(self, request: Request, contents: list[Content]) -> None:
        count.delay([content.pk for content in contents])

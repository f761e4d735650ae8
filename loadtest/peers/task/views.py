"""One Celery task per view; the worker carries out the UPDATE."""

from rest_framework.request import Request

from loadtest.peers.pages.models import Content
from loadtest.peers.pages.views import PageView
from loadtest.peers.task.tasks import count


class Page(PageView):
    def count(self, request: Request, contents: list[Content]) -> None:
        count.delay([content.pk for content in contents])

"""django-hitcount, called for each content as its HitCountDetailView does for one object."""

from hitcount.utils import get_hitcount_model
from hitcount.views import HitCountMixin
from rest_framework.request import Request

from loadtest.peers.pages.models import Content
from loadtest.peers.pages.views import PageView


class Page(PageView):
    def count(self, request: Request, contents: list[Content]) -> None:
        hitcounts = get_hitcount_model().objects
        for content in contents:
            HitCountMixin.hit_count(request._request, hitcounts.get_for_object(content))

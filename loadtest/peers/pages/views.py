"""The page, read in two queries. Each peer adds `count`."""

from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loadtest.peers.pages import models
from loadtest.peers.pages.serializers import PageSerializer


class PageView(APIView):
    def get(self, request: Request, pk: int) -> Response:
        page = get_object_or_404(models.Page, pk=pk)
        contents = list(
            models.Content.objects.filter(places__page=page)
            .order_by("places__position", "places__pk")
            .select_subclasses()
        )
        data = PageSerializer(page, context={"request": request, "contents": contents}).data
        self.count(request, contents)
        return Response(data, headers={"Cache-Control": "no-store"})

    def count(self, request: Request, contents: list[models.Content]) -> None:
        raise NotImplementedError

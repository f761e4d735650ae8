"""Views of APIs count what they answer, and show how often it was viewed."""

from typing import Any

import pytest
from rest_framework import renderers, serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from catalog.pages.models import Content, Page
from footfall.testing import recorded
from footfall.web.rest import CountedRetrieveMixin, ViewsField

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]


class PageSerializer(serializers.ModelSerializer[Page]):
    views = ViewsField()

    class Meta:
        model = Page
        fields = ("id", "views")


class Pages(CountedRetrieveMixin, ModelViewSet[Page]):
    queryset = Page.objects.order_by("pk")
    serializer_class = PageSerializer
    permission_classes = ()

    def get_viewed(self) -> Any:
        return Content.objects.filter(placements__page=self.object)


class OnePage(CountedRetrieveMixin, RetrieveAPIView[Page]):
    queryset = Page.objects.all()
    serializer_class = PageSerializer
    permission_classes = ()


VIEWSET: Any = Pages.as_view({"get": "retrieve", "delete": "destroy"})
LIST: Any = Pages.as_view({"get": "list"})


def answer(view: Any, method: str = "GET", **kwargs: Any) -> Any:
    return view(APIRequestFactory().generic(method, "/"), **kwargs).render()


def test_what_is_retrieved_is_counted(page: Page, contents: list[Content]) -> None:
    Page.objects.filter(pk=page.pk).update(counter=41)

    assert answer(VIEWSET, pk=page.pk).data == {"id": page.pk, "views": 41}
    assert answer(OnePage.as_view(), pk=page.pk).status_code == 200

    ids = sorted(one.pk for one in contents)
    assert recorded() == [
        {"pages.content": ids, "pages.page": [page.pk]},
        {"pages.page": [page.pk]},
    ]


def test_lists_heads_other_methods_and_what_is_missing_count_nothing(page: Page) -> None:
    assert answer(LIST).data["results"][0]["views"] == 0
    assert answer(VIEWSET, "HEAD", pk=page.pk).status_code == 200
    assert answer(VIEWSET, pk=page.pk + 1).status_code == 404
    assert answer(VIEWSET, "DELETE", pk=page.pk).status_code == 204

    assert recorded() == []


def test_what_cannot_be_rendered_counts_nothing(page: Page) -> None:
    class Broken(renderers.JSONRenderer):
        def render(self, *args: Any, **kwargs: Any) -> bytes:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer(OnePage.as_view(renderer_classes=[Broken]), pk=page.pk)

    assert recorded() == []


def test_a_field_takes_nothing_from_outside(page: Page) -> None:
    sent = PageSerializer(page, data={"views": 9})

    assert sent.is_valid()
    assert "views" not in sent.validated_data

"""Views and tags for the pages of another project."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.db import models
from django.http import HttpResponse, HttpResponseBase
from django.template import TemplateDoesNotExist, engines
from django.template.response import TemplateResponse
from django.test import RequestFactory

from catalog.pages.models import Content, Page
from footfall.eventlog import RedisLog
from footfall.events import decode
from footfall.web.views import CountedDetailView, CountedViewMixin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]


class Shown(CountedDetailView):
    model = Page

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> TemplateResponse:
        text = self.kwargs.get("text", "{{ object.title }}")
        return TemplateResponse(self.request, engines["django"].from_string(text), context)

    def get_viewed(self) -> Iterable[models.Model]:
        return Content.objects.filter(placements__page=self.object)


def recorded(log: RedisLog) -> list[Any]:
    entries = [one for n in (0, 1) for one in log.read(n, None, 99, 99_999).entries]
    return [decode(one.body) for one in entries]


def shown(page: Page, method: str = "GET", **kwargs: Any) -> HttpResponseBase:
    request = RequestFactory().generic(method, "/")
    response: Any = Shown.as_view()(request, pk=page.pk, **kwargs)
    return response.render() if hasattr(response, "render") else response  # type: ignore[no-any-return]


def test_what_is_shown_is_counted_with_what_stands_on_it(
    log: RedisLog, page: Page, contents: list[Content]
) -> None:
    response = shown(page)

    assert response.status_code == 200
    ids = sorted(one.pk for one in contents)
    assert recorded(log) == [{"pages.content": ids, "pages.page": [page.pk]}]


def test_a_head_and_a_template_that_fails_count_nothing(log: RedisLog, page: Page) -> None:
    shown(page, "HEAD")
    with pytest.raises(TemplateDoesNotExist):
        shown(page, text="{% include 'no-such.html' %}")

    assert recorded(log) == []


def test_other_answers_and_what_the_project_leaves_out_count_nothing(
    log: RedisLog, page: Page
) -> None:
    class Answer:
        def get(self, request: Any) -> HttpResponse:
            return HttpResponse(status=304 if "old" in request.GET else 200)

    class Counted(CountedViewMixin, Answer):  # type: ignore[misc]
        object = page

    class LeftOut(Counted):
        def is_counted(self) -> bool:
            return False

    for view, address in ((Counted(), "/?old"), (LeftOut(), "/"), (Counted(), "/")):
        view.request = RequestFactory().get(address)
        view.get(view.request)

    assert recorded(log) == [{"pages.page": [page.pk]}]

"""Tags for the pages of another project."""

import re
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.apps import apps
from django.db import models
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone

from catalog.pages.models import Page
from footfall.flush import flush, project
from footfall.record import record
from tests.support.agents import BROWSER, ROBOT
from tests.support.projections import view

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]


def rendered(text: str, page: Page) -> str:
    return Template("{% load footfall %}" + text).render(Context({"page": page}))


def test_counter_most_viewed_and_sparkline(page: Page) -> None:
    text = (
        "{{ page|views }}"
        "{% most_viewed 'pages.page' days=1 limit=1 as pages %}{% for one in pages %}"
        " {{ one.title }} {{ one.views }}{% endfor %}{% views_sparkline page days=7 %}"
    )
    assert rendered(text, page) == "0"
    record(page)
    flush()
    page.refresh_from_db()

    shown = rendered(text, page)

    assert shown.startswith("1 A page 1<svg ")
    assert shown.count(",") == 7


def test_most_viewed_shows_what_the_default_manager_has(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    with isolate_apps("catalog.pages"):

        class Live(models.Manager[Page]):
            def get_queryset(self) -> models.QuerySet[Page]:
                return super().get_queryset().exclude(title__startswith="Draft")

        class LivePage(Page):
            objects = Live()  # type: ignore[assignment]

            class Meta:
                app_label = "pages"
                proxy = True

    monkeypatch.setattr(apps, "get_model", Mock(return_value=LivePage))
    record(page, [Page.objects.create(title="Draft")])
    flush()

    text = "{% most_viewed 'pages.livepage' as pages %}{% for one in pages %}{{ one }}{% endfor %}"
    assert rendered(text, page) == str(page)


def test_views_people_and_visitors_of_a_time(page: Page) -> None:
    text = (
        "{% views_since page days=7 %} {% views_since page days=30 as n %}{{ n }}"
        " {% people page days=7 %} {% visitors page days=7 %}"
    )
    assert rendered(text, page) == rendered(text, Page()) == "0 0 0 0"
    for agent in (BROWSER, BROWSER, ROBOT):
        record(page, request=RequestFactory().get("/", headers={"user-agent": agent}))
    flush()
    before = timezone.now() - timedelta(days=20)
    view({"pages.page": [page.pk]}, at=int(before.timestamp() * 1000))
    project(force=True)

    assert rendered(text, page) == "3 4 2 1"


def test_a_beacon_is_a_script_with_a_token(page: Page) -> None:
    found = re.fullmatch(
        r'<script src="(\S+)" data-view="pages.page:(\d+):[\w-]+" data-url="/footfall/view/" '
        r"defer></script>",
        rendered("{% views_beacon page %}", page),
    )

    assert found
    assert found[1].endswith("counters/beacon.js")
    assert found[2] == str(page.pk)
    with pytest.raises(ValueError, match="save it first"):
        rendered("{% views_beacon page %}", Page())

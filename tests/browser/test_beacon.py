"""The script of other projects: a page that a cache has answered reports its view."""

from functools import partial
from typing import Any

import pytest
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import include, path
from playwright.sync_api import Page as Tab
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from catalog.pages.models import Page
from footfall.flush import flush_all
from loadtest.common.waiting import wait_until
from tests.support.pages import make_page, make_text

HTML = """{% load footfall %}<!doctype html><html lang="en"><title>A page</title>
<link rel="icon" href="data:,">{% views_beacon page %}"""


def shown(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(Template(HTML).render(Context({"page": Page.objects.get(pk=pk)})))


class Urls:
    urlpatterns: Any = (
        path("<int:pk>/", shown),
        path("footfall/", include("footfall.urls")),
        *staticfiles_urlpatterns(),
    )


def is_counted(page: Page, times: int) -> bool:
    flush_all()
    return Page.objects.get(pk=page.pk).counter == times


@pytest.mark.parametrize("first", ["", "navigator.sendBeacon = () => false"])
def test_each_load_counts_once(
    tab: Tab, live_server: LiveServer, settings: Settings, transactional_db: None, first: str
) -> None:
    settings.ROOT_URLCONF, page = Urls, make_page(make_text())
    if first:
        tab.add_init_script(first)
    for loads in (1, 2):
        with tab.expect_response(lambda answer: answer.url.endswith("/footfall/view/")) as found:
            tab.goto(f"{live_server.url}/{page.pk}/")
        assert found.value.status == 204
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        wait_until(partial(is_counted, page, loads))

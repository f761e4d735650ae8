"""A countable model's own admin shows the views of each object over time."""

from typing import Any, ClassVar

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from catalog.pages.models import Content, Page
from footfall.admin import ChartedAdmin, ChartedAdminMixin
from footfall.common.admin import ModelAdmin
from footfall.flush import flush
from footfall.record import record

pytestmark = pytest.mark.django_db


class PageAdmin(ChartedAdmin):
    fields = ("title", "counter")
    readonly_fields = ("counter",)


class PlainAdmin(ChartedAdmin):
    pass


def test_the_chart_stands_below_the_fields(
    rf: RequestFactory, page: Page, contents: list[Content]
) -> None:
    record(page, contents)
    flush()
    request = rf.get("/")
    request.user = get_user_model()(is_superuser=True, is_active=True, is_staff=True)
    site = AdminSite()
    site.register(Page, PageAdmin)

    answer = site.get_model_admin(Page).change_view(request, str(page.pk))
    assert isinstance(answer, TemplateResponse)
    shown = answer.render().content.decode()

    assert shown.count('class="ff-chart"') == 2
    assert ": 1 · people" not in shown
    assert ": 1 · " in shown
    assert "counters/dashboard.css" in shown
    assert shown.index('name="title"') < shown.index('class="ff-chart"')


@pytest.mark.parametrize("admin_class", [PageAdmin, PlainAdmin])
def test_what_is_only_being_added_has_no_chart(
    rf: RequestFactory, page: Page, admin_class: type[ChartedAdmin]
) -> None:
    model_admin = admin_class(Page, AdminSite())
    request = rf.get("/")
    request.user = get_user_model()(is_superuser=True, is_active=True)

    assert "views_chart" not in str(model_admin.get_fieldsets(request))
    assert str(model_admin.get_fieldsets(request, page)).count("views_chart") == 1


class ListedAdmin(ChartedAdminMixin, ModelAdmin):
    list_display = ("title", "views_counted", "views_lately")
    views_days = 1

    class Media:
        css: ClassVar[Any] = {"all": ("own.css",)}


def listed(rf: RequestFactory, query: str) -> Any:
    request = rf.get(f"/?{query}")
    request.user = get_user_model()(is_superuser=True, is_active=True, is_staff=True)
    site = AdminSite()
    site.register(Page, ListedAdmin)
    answer = site.get_model_admin(Page).changelist_view(request)
    assert isinstance(answer, TemplateResponse)
    return answer.render()


@pytest.mark.usefixtures("real_delay")
def test_any_admin_lists_and_orders_by_views(
    rf: RequestFactory, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    long_ago, lately = (Page.objects.create(title=title) for title in ("Before", "Lately"))
    record(lately)
    flush()
    Page.objects.filter(pk=long_ago.pk).update(counter=1234)

    with django_assert_max_num_queries(6):
        shown = listed(rf, "o=-2").content.decode()
    assert shown.index("Before") < shown.index("1,234") < shown.index("Lately")
    shown = listed(rf, "o=-3").content.decode()
    assert shown.index("Lately") < shown.index("Before")
    assert "own.css" in str(ListedAdmin(Page, AdminSite()).media)
    assert "counters/dashboard.css" in str(ListedAdmin(Page, AdminSite()).media)


class Shelf(models.QuerySet[Page]):
    """A queryset of the project's own."""


class ShelfAdmin(ModelAdmin):
    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Page]:
        return Shelf(Page)


class ListedShelfAdmin(ChartedAdminMixin, ShelfAdmin):
    list_display = ("title", "views_counted", "views_lately")


def test_actions_get_the_queryset_of_the_project(rf: RequestFactory, page: Page) -> None:
    rows = ListedShelfAdmin(Page, AdminSite()).get_queryset(rf.get("/"))

    assert isinstance(rows, Shelf)
    found = rows.get(pk=page.pk)
    assert (found.views_counted, found.views_lately) == (0, 0)  # type: ignore[attr-defined]

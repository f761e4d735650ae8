"""Filters of the lists of contents."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin import TitleSelect
from catalog.pages.models import Content, Page, PageContent
from footfall.common.admin_urls import key_in


def get_types(site: admin.AdminSite) -> list[type[Content]]:
    """Return the types of content that have an admin."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, Content) and model is not Content and site.is_registered(model)
    ]


class TypeFilter(admin.SimpleListFilter):
    title = _("type")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        types = get_types(model_admin.admin_site)
        self.models = {model._meta.label_lower: model for model in types}
        return [(label, model._meta.verbose_name_plural) for label, model in self.models.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if model := self.models.get(self.value() or ""):
            return queryset.filter(pk__in=model._default_manager.values("pk"))
        return queryset


class PageFilter(admin.SimpleListFilter):
    """Filters by page, with a search field: there are too many pages to list."""

    title = _("page")
    parameter_name = "page"
    template = "admin/pages/content/page_filter.html"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.site = model_admin.admin_site
        key = key_in(self.value() or "")
        self.page = None if key is None else Page.objects.filter(pk=key).first()

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[()]:
        return ()

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.page is None:
            return queryset
        return queryset.filter(pk__in=self.page.placements.values("content"))

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        field: Any = PageContent._meta.get_field("page")
        value = str(self.page.pk) if self.page else ""
        yield TitleSelect.render_for(field, self.site, "page", value, str(self.title))

"""The admin of pages."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedModelAdmin

from catalog.admin.counted import CountedAdmin, count_related
from catalog.pages.admin.placements import PlacementInline
from catalog.pages.models import Content, Page, PageContent


@admin.register(Page)
class PageAdmin(NestedModelAdmin, CountedAdmin):  # type: ignore[misc]
    inlines = (PlacementInline,)
    list_display = ("title", "contents", "views", "updated")
    list_filter = ("created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Page]:
        pages: QuerySet[Page] = super().get_queryset(request)
        return pages.annotate(contents=count_related(PageContent, by="page"))

    @admin.display(description=_("contents"))
    def contents(self, page: Any) -> int:
        return int(page.contents)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj:  # collapsed, so that the contents below are visible
            chart = {**fieldsets.pop()[1], "classes": ["collapse"]}
            fieldsets.append((_("Views over time"), chart))
        return fieldsets

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        # The log entry of this change names the contents of all these, even of deleted ones.
        changed = [placement for placement, _ in formset.changed_objects]
        touched = [*formset.deleted_objects, *changed, *formset.new_objects]
        prefetch_related_objects(touched, "content")
        rows = [form.cleaned_data for form in formset.deleted_forms]
        for content in {row["content"] for row in rows if row.get("delete_content")}:
            self.delete_content(request, content)

    def delete_content(self, request: HttpRequest, content: Content) -> None:
        content_admin = self.admin_site.get_model_admin(type(content))
        if not content_admin.has_delete_permission(request, content):
            raise PermissionDenied
        content_admin.log_deletions(request, [content])  # type: ignore[arg-type]
        content_admin.delete_model(request, content)

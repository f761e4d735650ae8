"""The admin of pages."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, prefetch_related_objects
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedModelAdmin

from catalog.admin import CountedAdmin, count_related
from catalog.concurrent_edits import Snapshot
from catalog.pages.admin.placements import (
    PlacementInline,
    as_new,
    merge_placements,
    placements_of,
    rows_in,
    write,
)
from catalog.pages.admin.previews import allow_media
from catalog.pages.models import Content, Page, PageContent, Video


@admin.register(Page)
class PageAdmin(NestedModelAdmin, CountedAdmin):  # type: ignore[misc]
    inlines = (PlacementInline,)
    viewed_with = ("placements__content",)
    list_display = ("title", "contents", "views", "updated")
    list_filter = ("created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        contents = count_related(PageContent, by="page")
        return super().get_queryset(request).annotate(contents=contents)

    @admin.display(description=_("contents"))
    def contents(self, page: Any) -> int:
        return int(page.contents)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj:  # collapsed, so that the contents below are visible
            chart = {**fieldsets.pop()[1], "classes": ["collapse"]}
            fieldsets.append((_("Views over time"), chart))
        return fieldsets

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().render_change_form(request, context, *args, **kwargs)
        rows = [
            form.instance for fs in context["inline_admin_formsets"] for form in fs.formset.forms
        ]
        keys = [row.content_id for row in rows if row.content_id]
        allow_media(response, Video.objects.filter(pk__in=keys))
        return response

    def snapshot(self, obj: Any) -> Snapshot:
        return {**super().snapshot(obj), "placements": placements_of(obj)}

    def merge(self, data: QueryDict, obj: Any, seen: Snapshot, now: Snapshot) -> list[str]:
        placements = seen.get("placements")
        seen_placements = placements if isinstance(placements, list) else None
        return [*super().merge(data, obj, seen, now), *merge_placements(data, obj, seen_placements)]

    def detach(self, data: QueryDict) -> None:
        write(as_new(row for row in rows_in(data).values() if "DELETE" not in row), data)

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

"""The admin of pages. The form has the page's contents: blocks of any type, ordered by dragging."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Prefetch, prefetch_related_objects
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedModelAdmin, NestedStackedInline

from catalog.admin import CountedAdmin, TitleSelect, count_related
from catalog.pages.models import Content, Page, PageContent
from footfall.common.admin_urls import admin_address

CONTENT_FIELD: Any = PageContent._meta.get_field("content")


class PlacementForm(forms.ModelForm):  # type: ignore[type-arg]
    # The content is chosen below the blocks; the content of a placement never changes.
    content = forms.ModelChoiceField(Content.objects.select_subclasses(), widget=forms.HiddenInput)
    delete_content = forms.BooleanField(label=_("Also delete the content"), required=False)

    class Meta:
        widgets = {"position": forms.HiddenInput}


class PlacementInline(NestedStackedInline):  # type: ignore[misc]
    model = PageContent
    form = PlacementForm
    template = "admin/pages/page/placements.html"
    fields = ("content", "position", "delete_content", "block")
    readonly_fields = ("block",)
    sortable_field_name = "position"
    extra = 0

    @property
    def media(self) -> forms.Media:
        own: forms.Media = super().media
        select = TitleSelect(CONTENT_FIELD, self.admin_site)
        return own + select.media + forms.Media(js=["pages/placements.js"])

    def get_queryset(self, request: HttpRequest) -> Any:
        # With the annotations that a block shows.
        contents = self.admin_site.get_model_admin(Content).get_queryset(request)
        return super().get_queryset(request).prefetch_related(Prefetch("content", contents))

    def block(self, placement: PageContent) -> str:
        # The empty form, the template of new placements, has no content.
        return render_block(placement.content, self.admin_site) if placement.content_id else ""

    def search(self) -> SafeString:
        """Return the select that finds an existing content to add."""
        return TitleSelect.render_for(CONTENT_FIELD, self.admin_site, "add_content")


def render_block(content: Content, site: admin.AdminSite) -> SafeString:
    """Return the block of one content: its type, title, main field and views."""
    contents: Any = site.get_model_admin(Content)
    context = {
        "content": content,
        "kind": contents.kind(content),
        "summary": contents.summary(content),
        "views": contents.views(content),
        "address": admin_address(site, type(content), "change", content.pk),
    }
    return render_to_string("admin/pages/page/block.html", context)


@admin.register(Page)
class PageAdmin(NestedModelAdmin, CountedAdmin):  # type: ignore[misc]
    inlines = (PlacementInline,)
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

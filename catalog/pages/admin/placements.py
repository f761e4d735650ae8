"""The contents of a page in the page's form: blocks of any type, ordered by dragging."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedStackedInline

from catalog.admin.search import TitleSelect
from catalog.pages.models import Content, PageContent
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[PageContent]:
        # With the annotations that a block shows.
        contents = self.admin_site.get_model_admin(Content).get_queryset(request)
        placements: QuerySet[PageContent] = super().get_queryset(request)
        return placements.prefetch_related(Prefetch("content", contents))

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

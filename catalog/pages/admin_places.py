"""What stands on a page, in the page's form: blocks of any type that are dragged into order."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedStackedInline

from catalog.pages.admin_search import TitleSelect
from catalog.pages.models import Content, PageContent
from footfall.common.admin_urls import admin_address

CONTENT: Any = PageContent._meta.get_field("content")


class PlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    # A content is chosen beside the blocks; what stands in a place never changes.
    content = forms.ModelChoiceField(Content.objects.select_subclasses(), widget=forms.HiddenInput)
    delete_content = forms.BooleanField(label=_("Delete the content, too"), required=False)

    class Meta:
        widgets = {"position": forms.HiddenInput}


class PlaceInline(NestedStackedInline):  # type: ignore[misc]
    model = PageContent
    form = PlaceForm
    template = "admin/pages/page/places.html"
    fields = ("content", "position", "delete_content", "block")
    readonly_fields = ("block",)
    sortable_field_name = "position"
    extra = 0

    @property
    def media(self) -> forms.Media:
        own: forms.Media = super().media
        select = TitleSelect(CONTENT, self.admin_site)
        return own + select.media + forms.Media(js=["pages/places.js"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[PageContent]:
        # The admin of all contents adds to each what a block shows.
        contents = self.admin_site.get_model_admin(Content).get_queryset(request)
        places: QuerySet[PageContent] = super().get_queryset(request)
        return places.prefetch_related(Prefetch("content", contents))

    def block(self, place: PageContent) -> str:
        # The empty form, from which new places are made, has no content.
        return render_block(place.content, self.admin_site) if place.content_id else ""

    def search(self) -> SafeString:
        """Return the select that finds a content to attach."""
        return TitleSelect.render_for(CONTENT, self.admin_site, "attach")


def render_block(content: Content, site: admin.AdminSite) -> SafeString:
    """Return what is shown of one content: its type, title, main attribute and views."""
    contents: Any = site.get_model_admin(Content)
    context = {
        "content": content,
        "kind": contents.kind(content),
        "glance": contents.glance(content),
        "views": contents.views(content),
        "address": admin_address(site, type(content), "change", content.pk),
    }
    return render_to_string("admin/pages/page/block.html", context)

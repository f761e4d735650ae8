"""The admins of contents: one for all of them, and one for each type."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import display_for_field, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, URLField
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import linebreaks_filter
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from catalog.admin import CountedAdmin, TitleSelect, count_related
from catalog.pages.admin.filters import PageFilter, TypeFilter, get_types
from catalog.pages.admin.placements import render_block
from catalog.pages.admin.previews import allow_media, render_video
from catalog.pages.models import Audio, Content, Page, PageContent, Text, Video
from footfall.common.admin_urls import admin_address

MAX_EXCERPT = 400
"""Characters of a text in its preview."""
MAX_PAGES = 10
"""Links to pages in the form of a content."""


class AnyContentAdmin(CountedAdmin):
    """The base of the lists of contents."""

    list_display: Any = ("title", "summary", "pages", "views", "updated")
    list_filter: ClassVar[Any] = (PageFilter, "created_at", "updated_at")

    @property
    def media(self) -> Any:
        select = TitleSelect(PageContent._meta.get_field("page"), self.admin_site)
        return super().media + select.media + Media(js=["pages/filters.js"])

    def get_queryset(self, request: HttpRequest) -> Any:
        pages = count_related(PageContent, by="content", field="page")
        return super().get_queryset(request).annotate(pages=pages)

    @admin.display(description=_("pages"))
    def pages(self, content: Any) -> int:
        return int(content.pages)


class ContentTypeAdmin(AnyContentAdmin):
    """The admin of one type of content. An empty subclass is enough for a new type."""

    readonly_fields = ("preview", "used_on", *CountedAdmin.readonly_fields)
    formfield_overrides = {URLField: {"assume_scheme": "https"}}  # for "example.com/a.mp4"

    @admin.display(description=_("summary"))
    def summary(self, content: Content) -> str:
        """Return what identifies this content to an editor, beside its title."""
        if (field := self.main_field()) is None:
            return ""
        value = getattr(content, field.attname)
        if isinstance(field, URLField) and value.startswith(("https://", "http://")):
            link = '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>'
            return format_html(link, value, Truncator(value).chars(60))
        shown = display_for_field(value, field, "", avoid_link=True)
        return Truncator(str(shown)[:500]).words(16)

    @admin.display(description=_("preview"))
    def preview(self, content: Content, is_playable: bool = True) -> str:
        """Return how the content looks or plays; "" if a type has nothing to show.

        is_playable: the policy of the page that shows it allows `allow_media` for this content.
        """
        return ""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return fields if obj and self.preview(obj) else [f for f in fields if f != "preview"]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().render_change_form(request, context, *args, **kwargs)
        allow_media(response, [context["original"]])
        return response

    def main_field(self) -> Any:
        """Return the first field that only this type has."""
        own = (field for field in self.opts.local_concrete_fields if not field.primary_key)
        return next(own, None)

    @admin.display(description=_("used on pages"))
    def used_on(self, content: Content) -> str:
        pages = Page.objects.filter(placements__content=content).distinct().order_by("-pk")
        site = self.admin_site
        links = [(admin_address(site, Page, "change", page.pk), page) for page in pages[:MAX_PAGES]]
        return format_html_join(SafeString("<br>"), '<a href="{}">{}</a>', links)


@admin.register(Video)
class VideoAdmin(ContentTypeAdmin):
    @admin.display(description=_("preview"))
    def preview(self, content: Video, is_playable: bool = True) -> str:  # type: ignore[override]
        return render_video(content, is_playable)


@admin.register(Text)
class TextAdmin(ContentTypeAdmin):
    @admin.display(description=_("preview"))
    def preview(self, content: Text, is_playable: bool = True) -> str:  # type: ignore[override]
        return linebreaks_filter(Truncator(content.text[:5000]).chars(MAX_EXCERPT))


@admin.register(Audio)
class AudioAdmin(ContentTypeAdmin):
    @admin.display(description=_("bit rate"), ordering="bitrate")
    def summary(self, content: Audio) -> str:  # type: ignore[override]
        return _("%s kbit/s") % f"{content.bitrate / 1000:g}"


def as_contents(contents: Iterable[Content]) -> QuerySet[Content]:
    """Return the same contents as rows of the base model."""
    return Content.objects.filter(pk__in=[content.pk for content in contents])


@admin.register(Content)
class ContentAdmin(AnyContentAdmin):
    """One list for all contents. They are added and changed in the admin of their type."""

    viewed_with = ("placements__page",)
    list_display = ("title", "kind", "summary", "pages", "views", "updated")
    list_filter = (TypeFilter, PageFilter, "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_subclasses()

    @admin.display(description=_("type"))
    def kind(self, content: Content) -> str:
        return str(content._meta.verbose_name)

    @admin.display(description=_("summary"))
    def summary(self, content: Content) -> str:
        type_admin = self.type_admin(content)
        return type_admin.summary(content) if type_admin else ""

    def preview(self, content: Content, is_playable: bool) -> str:
        type_admin = self.type_admin(content)
        return type_admin.preview(content, is_playable) if type_admin else ""

    def type_admin(self, content: Content) -> "ContentTypeAdmin | None":
        has_admin = type(content) in get_types(self.admin_site)
        return self.admin_site.get_model_admin(type(content)) if has_admin else None  # type: ignore[return-value]

    def get_urls(self) -> list[URLPattern]:
        block = self.admin_site.admin_view(self.block_view)
        return [path("<int:pk>/block/", block, name="pages_content_block"), *super().get_urls()]

    def block_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the block of one content, for the form of a page, whose policy is fixed."""
        if not self.has_view_permission(request):  # before 404, which would reveal what exists
            raise PermissionDenied
        content = get_object_or_404(self.get_queryset(request), pk=pk)
        return HttpResponse(render_block(content, self.admin_site, is_playable=False))

    # Django would delete all selected objects as if they had the type of the first one.

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return super().get_deleted_objects(as_contents(objs), request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Content]) -> None:
        as_contents(queryset).delete()

    def addable_types(self, request: HttpRequest) -> list[type[Content]]:
        site = self.admin_site
        return [
            model
            for model in get_types(site)
            if site.get_model_admin(model).has_add_permission(request)
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.addable_types(request))

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        types = self.addable_types(request)
        if not types:
            raise PermissionDenied
        query = request.GET.urlencode()  # it marks a popup
        context = {
            **self.admin_site.each_context(request),
            "title": _("Select content type"),
            "opts": self.opts,
            "is_popup": "_popup" in request.GET,
            "types": [
                (one._meta.verbose_name, f"{admin_address(self.admin_site, one, 'add')}?{query}")
                for one in types
            ],
        }
        return TemplateResponse(request, "admin/pages/content/choose_type.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        content = self.get_object(request, unquote(object_id))
        if content is None or type(content) is Content:
            return super().change_view(request, object_id, *args, **kwargs)
        type_admin = self.admin_site.get_model_admin(type(content))
        if not type_admin.has_view_or_change_permission(request, content):
            raise PermissionDenied
        address = admin_address(self.admin_site, type(content), "change", content.pk)
        return HttpResponseRedirect(f"{address}?{request.GET.urlencode()}")

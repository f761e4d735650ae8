"""The admin of pages and of every type of content."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import display_for_field, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet, URLField, prefetch_related_objects
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedModelAdmin

from catalog.pages.admin_counted import CountedAdmin, number_of
from catalog.pages.admin_filters import PageFilter, TypeFilter, types_in
from catalog.pages.admin_places import PlaceInline, render_block
from catalog.pages.admin_search import TitleSelect
from catalog.pages.models import Audio, Content, Page, PageContent, Text, Video
from footfall.common.admin_urls import admin_address

PAGES_SHOWN = 10
"""A content's form links to so many of the pages on which it stands."""


@admin.register(Page)
class PageAdmin(NestedModelAdmin, CountedAdmin):  # type: ignore[misc]
    inlines = (PlaceInline,)
    list_display = ("title", "contents", "views", "updated")
    list_filter = ("created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Page]:
        pages: QuerySet[Page] = super().get_queryset(request)
        return pages.annotate(contents=number_of(PageContent, by="page"))

    @admin.display(description=_("contents"))
    def contents(self, page: Any) -> int:
        return int(page.contents)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj:  # closed at first: what stands on the page comes below it
            chart = {**fieldsets.pop()[1], "classes": ["collapse"]}
            fieldsets.append((_("Views over time"), chart))
        return fieldsets

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        # The message about this change names the contents of all these, the deleted ones, too.
        changed = [place for place, _ in formset.changed_objects]
        touched = [*formset.deleted_objects, *changed, *formset.new_objects]
        prefetch_related_objects(touched, "content")
        answers = [form.cleaned_data for form in formset.deleted_forms]
        for content in {answer["content"] for answer in answers if answer.get("delete_content")}:
            self.delete_content(request, content)

    def delete_content(self, request: HttpRequest, content: Content) -> None:
        its_admin = self.admin_site.get_model_admin(type(content))
        if not its_admin.has_delete_permission(request, content):
            raise PermissionDenied
        its_admin.log_deletions(request, [content])  # type: ignore[arg-type]
        its_admin.delete_model(request, content)


class AnyContentAdmin(CountedAdmin):
    """The list of contents, of one type or of all."""

    list_display: Any = ("title", "glance", "pages", "views", "updated")
    list_filter: ClassVar[Any] = (PageFilter, "created_at", "updated_at")

    @property
    def media(self) -> Any:
        select = TitleSelect(PageContent._meta.get_field("page"), self.admin_site)
        return super().media + select.media + Media(js=["pages/filters.js"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        contents = super().get_queryset(request)
        counted: QuerySet[Any] = contents.annotate(
            pages=number_of(PageContent, by="content", what="page")
        )
        return counted

    @admin.display(description=_("pages"))
    def pages(self, content: Any) -> int:
        return int(content.pages)

    @admin.display(description=_("at a glance"))
    def glance(self, content: Content) -> str:
        """Return what an editor knows this content by, apart from its title."""
        return ""


class ContentTypeAdmin(AnyContentAdmin):
    """The admin of one type of content. A new type needs no more than a class like this."""

    readonly_fields = ("stands_on", *CountedAdmin.readonly_fields)
    formfield_overrides = {URLField: {"assume_scheme": "https"}}  # for "example.com/a.mp4"

    @admin.display(description=_("at a glance"))
    def glance(self, content: Content) -> str:
        if (field := self.main_field()) is None:
            return ""
        value = getattr(content, field.attname)
        if isinstance(field, URLField) and value.startswith(("https://", "http://")):
            link = '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>'
            return format_html(link, value, Truncator(value).chars(60))
        shown = display_for_field(value, field, "", avoid_link=True)
        return Truncator(str(shown)[:500]).words(16)

    def main_field(self) -> Any:
        """Return the first field that only this type has."""
        own = (field for field in self.opts.local_concrete_fields if not field.primary_key)
        return next(own, None)

    @admin.display(description=_("stands on"))
    def stands_on(self, content: Content) -> str:
        pages = Page.objects.filter(places__content=content).distinct().order_by("-pk")
        site = self.admin_site
        links = [
            (admin_address(site, Page, "change", page.pk), page) for page in pages[:PAGES_SHOWN]
        ]
        return format_html_join(SafeString("<br>"), '<a href="{}">{}</a>', links)


@admin.register(Video)
class VideoAdmin(ContentTypeAdmin):
    pass


@admin.register(Audio)
class AudioAdmin(ContentTypeAdmin):
    @admin.display(description=_("bit rate"), ordering="bitrate")
    def glance(self, content: Audio) -> str:  # type: ignore[override]
        return _("%s kbit/s") % f"{content.bitrate / 1000:g}"


@admin.register(Text)
class TextAdmin(ContentTypeAdmin):
    pass


def as_contents(contents: Iterable[Content]) -> QuerySet[Content]:
    """Return the same contents without the fields of their types."""
    return Content.objects.filter(pk__in=[content.pk for content in contents])


@admin.register(Content)
class ContentAdmin(AnyContentAdmin):
    """All contents in one list. Adding asks for the type; a change is made in the type's admin."""

    list_display = ("title", "kind", "glance", "pages", "views", "updated")
    list_filter = (TypeFilter, PageFilter, "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        contents: Any = super().get_queryset(request)
        subclasses: QuerySet[Any] = contents.select_subclasses()
        return subclasses

    @admin.display(description=_("type"))
    def kind(self, content: Content) -> str:
        return str(content._meta.verbose_name)

    @admin.display(description=_("at a glance"))
    def glance(self, content: Content) -> str:
        if type(content) not in types_in(self.admin_site):
            return ""
        return self.admin_site.get_model_admin(type(content)).glance(content)  # type: ignore[attr-defined,no-any-return]

    def get_urls(self) -> list[URLPattern]:
        block = self.admin_site.admin_view(self.block_view)
        return [path("<int:pk>/block/", block, name="pages_content_block"), *super().get_urls()]

    def block_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer with the block that the form of a page shows for a content."""
        if not self.has_view_permission(request):  # first: a 404 would tell what there is
            raise PermissionDenied
        content = get_object_or_404(self.get_queryset(request), pk=pk)
        return HttpResponse(render_block(content, self.admin_site))

    # Django deletes a list of objects as if all were of the type of the first.

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return super().get_deleted_objects(as_contents(objs), request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Content]) -> None:
        as_contents(queryset).delete()

    def addable_types(self, request: HttpRequest) -> list[type[Content]]:
        site = self.admin_site
        return [
            model
            for model in types_in(site)
            if site.get_model_admin(model).has_add_permission(request)
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.addable_types(request))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        types = self.addable_types(request)
        if not types:
            raise PermissionDenied
        query = request.GET.urlencode()  # tells the next form that it is a popup
        context = {
            **self.admin_site.each_context(request),
            "title": _("What is to be added?"),
            "opts": self.opts,
            "is_popup": "_popup" in request.GET,
            "types": [
                (
                    model._meta.verbose_name,
                    f"{admin_address(self.admin_site, model, 'add')}?{query}",
                )
                for model in types
            ],
        }
        return TemplateResponse(request, "admin/pages/content/choose_type.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        content = self.get_object(request, unquote(object_id))
        if content is None or type(content) is Content:
            return super().change_view(request, object_id, form_url, extra_context)
        its_admin = self.admin_site.get_model_admin(type(content))
        if not its_admin.has_view_or_change_permission(request, content):
            raise PermissionDenied
        address = admin_address(self.admin_site, type(content), "change", content.pk)
        return HttpResponseRedirect(f"{address}?{request.GET.urlencode()}")

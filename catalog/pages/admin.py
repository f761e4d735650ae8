"""The admin of pages: a page with its places, and each type of content with its own fields."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, Model, Prefetch, QuerySet, URLField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from nested_admin.nested import NestedModelAdmin, NestedTabularInline

from catalog.pages.models import Audio, Content, Page, PageContent, Text, Video


class TitleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What pages and contents have in common: a title that is searched, a counter that is shown."""

    list_display: Any = ("title", "counter", "updated_at")
    readonly_fields = ("counter", "created_at", "updated_at")
    search_fields = ("title",)
    search_help_text = _("The start of a title")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # Django would look for each word by itself.
        if start := search_term.strip():
            queryset = queryset.filter(title__istartswith=start)
        return queryset, False


class ContentSelect(AutocompleteSelect):
    """Shows the content that was loaded with its place; Django's asks the database in each row."""

    known: Content | None = None

    def optgroups(
        self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None
    ) -> list[tuple[str | None, list[dict[str, Any]], int | None]]:
        if self.known is None or list(value) != [str(self.known.pk)]:
            return super().optgroups(name, value, attrs)
        return [(None, [self.create_option(name, self.known.pk, str(self.known), True, 0)], 0)]


class PlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "content" in self.fields:
            wrapper: Any = self.fields["content"].widget  # which adds the links beside the select
            wrapper.widget.known = self.instance.content


class PlaceInline(NestedTabularInline):  # type: ignore[misc]
    model = PageContent
    form = PlaceForm
    fields = ("content", "kind", "counter", "position")
    readonly_fields = ("kind", "counter")
    sortable_field_name = "position"
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[PageContent]:
        contents = Prefetch("content", Content.objects.select_subclasses())
        places: QuerySet[PageContent] = super().get_queryset(request)
        return places.prefetch_related(contents)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "content":
            kwargs["widget"] = ContentSelect(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description=_("type"))
    def kind(self, place: PageContent) -> str:
        return str(place.content._meta.verbose_name)

    @admin.display(description=_("views"))
    def counter(self, place: PageContent) -> int:
        return place.content.counter


@admin.register(Page)
class PageAdmin(NestedModelAdmin, TitleAdmin):  # type: ignore[misc]
    inlines = (PlaceInline,)


class ContentTypeAdmin(TitleAdmin):
    """The admin of one type of content."""

    formfield_overrides = {URLField: {"assume_scheme": "https"}}  # for "example.com/a.mp4"


@admin.register(Video)
class VideoAdmin(ContentTypeAdmin):
    list_display = ("title", "video_url", "counter", "updated_at")


@admin.register(Audio)
class AudioAdmin(ContentTypeAdmin):
    list_display = ("title", "bitrate", "counter", "updated_at")


@admin.register(Text)
class TextAdmin(ContentTypeAdmin):
    pass


def as_contents(contents: Iterable[Content]) -> QuerySet[Content]:
    """Return the same contents without the fields of their types."""
    return Content.objects.filter(pk__in=[content.pk for content in contents])


@admin.register(Content)
class ContentAdmin(TitleAdmin):
    """All contents in one list. Adding asks for the type; a change is made in the type's admin."""

    list_display = ("title", "kind", "counter", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Content]:
        return Content.objects.select_subclasses().order_by("-pk")

    @admin.display(description=_("type"))
    def kind(self, content: Content) -> str:
        return str(content._meta.verbose_name)

    # Django deletes a list of objects as if all were of the type of the first.

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return super().get_deleted_objects(as_contents(objs), request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Content]) -> None:
        as_contents(queryset).delete()

    def addable_types(self, request: HttpRequest) -> list[type[Model]]:
        return [
            model
            for model in apps.get_models()
            if issubclass(model, Content)
            and model is not Content
            and self.admin_site.is_registered(model)
            and self.admin_site.get_model_admin(model).has_add_permission(request)
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
                (model._meta.verbose_name, f"{self.address(model, 'add')}?{query}")
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
        address = self.address(type(content), "change", content.pk)
        return HttpResponseRedirect(f"{address}?{request.GET.urlencode()}")

    def address(self, model: type[Model], view: str, *args: object) -> str:
        opts = model._meta
        return reverse(
            f"{self.admin_site.name}:{opts.app_label}_{opts.model_name}_{view}", args=args
        )

"""The admin of categories, films and comments. The form of a category has all three."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime, AdminTextareaWidget
from django.db.models import DateTimeField, TextField
from django.forms import SplitDateTimeField
from django.http import HttpRequest, QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from nested_admin.formsets import NestedInlineFormSet
from nested_admin.nested import NestedModelAdmin, NestedStackedInline, NestedTabularInline

from catalog.admin import CountedAdmin, SearchAdmin, count_related
from catalog.concurrent_edits import ConcurrentEditsAdmin
from catalog.films.models import Category, Comment, Film, GenerationJob
from catalog.inline_rows import Inlines, renew
from footfall.common.admin import ReadOnlyAdmin
from footfall.common.admin_urls import admin_address

MAX_INLINES = 10
"""A form shows only the newest films or comments."""


class NewestFormSet(NestedInlineFormSet):  # type: ignore[misc]
    """The newest rows only: a category may have ten thousand films."""

    def get_queryset(self) -> Any:
        if self.data:  # the rows of the form, even if newer ones were added since
            return super().get_queryset()
        if not hasattr(self, "_newest"):
            self._newest = super().get_queryset().order_by("-pk")[:MAX_INLINES]
        return self._newest

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:  # in a table, the heading of the column is no label
            form.fields["DELETE"].widget.attrs["aria-label"] = _("Delete")


class LabelledDateTime(AdminSplitDateTime):
    """Has a label for each of its two fields."""

    def __init__(self, attrs: Any = None) -> None:
        super().__init__(attrs)
        for widget, label in zip(self.widgets, (_("Date:"), _("Time:")), strict=True):
            widget.attrs["aria-label"] = label


class OwnedAdmin(NestedModelAdmin, ConcurrentEditsAdmin):  # type: ignore[misc]
    """Makes the user who adds an object its owner."""

    rows: Inlines = ()

    def merge_inlines(self, data: QueryDict) -> list[str]:
        return renew(data, self.rows)

    def detach(self, data: QueryDict) -> None:
        renew(data, self.rows)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            set_owner(obj, request.user)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.forms:
            if row.instance._state.adding:
                set_owner(row.instance, request.user)
        super().save_formset(request, form, formset, change)


def set_owner(obj: Any, user: Any) -> None:
    setattr(obj, "author" if isinstance(obj, Comment) else "owner", user)


class NewestInline:
    """The base of the inlines."""

    formset = NewestFormSet
    extra = 0
    is_sortable = False
    formfield_overrides = {
        TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3})},
        DateTimeField: {"form_class": SplitDateTimeField, "widget": LabelledDateTime},
    }


class CommentInline(NewestInline, NestedTabularInline):  # type: ignore[misc]
    model = Comment
    verbose_name_plural = _("newest comments")
    formfield_overrides = {
        TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3, "aria-label": _("text")})}
    }
    fields = ("text", "author")
    readonly_fields = ("author",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("author")


class FilmInline(NewestInline, NestedStackedInline):  # type: ignore[misc]
    model = Film
    verbose_name_plural = _("newest films")
    fields = ("title", "description", "time_filmed", "views")
    readonly_fields = ("views",)
    inlines = (CommentInline,)
    show_change_link = True
    views = CountedAdmin.views


@admin.register(Category)
class CategoryAdmin(OwnedAdmin, SearchAdmin):
    list_display = ("title", "parent", "films", "owner")
    list_select_related = ("parent", "owner")
    list_per_page = 50
    autocomplete_fields = ("parent",)
    readonly_fields = ("owner", "films")
    inlines = (FilmInline,)
    rows = (("films", Film, "category", (("comments", Comment, "film", ()),)),)

    def get_fields(self, request: HttpRequest, obj: Category | None = None) -> Any:
        return ("title", "parent", ("owner", "films")) if obj else ("title", "parent")

    def get_queryset(self, request: HttpRequest) -> Any:
        films = count_related(Film, by="category")
        return super().get_queryset(request).annotate(film_count=films)

    @admin.display(description=_("films"))
    def films(self, category: Any) -> str:
        """Return the number of films, as a link to their list."""
        address = admin_address(self.admin_site, Film, "changelist")
        link = '<a href="{}?category__id__exact={}">{}</a>'
        return format_html(link, address, category.pk, category.film_count)


@admin.register(Film)
class FilmAdmin(OwnedAdmin, CountedAdmin):
    list_display = ("title", "category", "time_filmed", "views", "updated")
    list_select_related = ("category",)
    list_filter = ("created_at", "updated_at")
    autocomplete_fields = ("category",)
    readonly_fields: ClassVar[Any] = ("owner", *CountedAdmin.readonly_fields)
    inlines = (CommentInline,)
    rows = (("comments", Comment, "film", ()),)


@admin.register(Comment)
class CommentAdmin(OwnedAdmin):
    list_display = ("__str__", "film", "author", "updated_at")
    list_select_related = ("film", "author")
    list_per_page = 50
    list_filter = ("created_at",)
    search_fields = ("text",)
    show_full_result_count = False
    ordering = ("-pk",)
    autocomplete_fields = ("film",)
    fields = ("film", "text", "author")
    readonly_fields = ("author",)


@admin.register(GenerationJob)
class GenerationJobAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "kind", "state", "done", "total", "owner", "error")
    list_select_related = ("owner",)
    ordering = ("-created_at",)

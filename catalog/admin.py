"""Shared by the admins of the catalogue: search by title, and what countable models show."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Count, ForeignKey, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from catalog.concurrent_edits import ConcurrentEditsAdmin
from footfall.admin import ChartedAdmin
from footfall.common.admin_urls import admin_address


class SearchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of the admins of models with a title; it also serves the search of `TitleSelect`."""

    search_fields = ("title",)
    search_help_text = _("Search by the start of the title")
    show_full_result_count = False
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # Django would search for each word on its own. PostgreSQL does not accept NUL.
        text = search_term.replace("\0", "").strip()
        return (queryset.filter(self.get_search_filter(text)) if text else queryset), False

    def get_search_filter(self, text: str) -> Q:
        """Return the filter for a search text that is not empty."""
        return Q(title__istartswith=text)

    def get_urls(self) -> list[URLPattern]:
        search = self.admin_site.admin_view(SearchView.as_view(admin_site=self.admin_site))
        name = f"{self.opts.app_label}_{self.opts.model_name}_search"
        return [path("search/", search, name=name), *super().get_urls()]


class SearchView(AutocompleteJsonView):
    """The results of a `TitleSelect`. Titles are not unique: "Sea and sky · video 17"."""

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        result: dict[str, str] = super().serialize_result(obj, to_field_name)
        return result | {"text": f"{obj} · {obj._meta.verbose_name} {obj.pk}"}


class TitleSelect(AutocompleteSelect):
    """A select with the results of the `SearchView` of the model that its field points to."""

    @classmethod
    def render_for(
        cls,
        field: ForeignKey[Any],
        site: admin.AdminSite,
        name: str,
        value: str = "",
        label: str = "",
    ) -> SafeString:
        """Render the select outside a form.

        label: for screen readers, where no `<label>` belongs to it.
        """
        form_field: Any = field.formfield(widget=cls(field, site), required=False)
        attributes = {"id": f"id_{name}", "aria-label": label} if label else {"id": f"id_{name}"}
        rendered: SafeString = form_field.widget.render(name, value, attributes)
        return rendered

    def get_url(self) -> str:
        return admin_address(self.admin_site, self.field.remote_field.model, "search")

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        attrs = super().build_attrs(*args, **kwargs)
        return attrs | {"data-placeholder": gettext("Search by the start of the title…")}


def count_related(model: type[Model], *, by: str, field: str = "pk") -> Coalesce:
    """Return an expression for the number of distinct `field` values in related rows of `model`.

    by: the foreign key to the row that is annotated.
    """
    rows: Any = model._default_manager.filter(**{by: OuterRef("pk")}).order_by().values(by)
    number = rows.annotate(number=Count(field, distinct=field != "pk")).values("number")
    return Coalesce(Subquery(number), 0)


class CountedAdmin(ChartedAdmin, ConcurrentEditsAdmin, SearchAdmin):
    """Shows views and timestamps, read-only."""

    readonly_fields: ClassVar[Any] = ("views", "created_at", "updated_at")
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("pages/admin.css",)}

    @admin.display(description=_("views"), ordering="counter")
    def views(self, counted: Any) -> str:
        return number_format(counted.counter, force_grouping=True)

    @admin.display(description=_("updated"), ordering="updated_at")
    def updated(self, counted: Any) -> str:
        return date_format(localtime(counted.updated_at), "SHORT_DATE_FORMAT")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj else ()

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        readonly = CountedAdmin.readonly_fields
        editable = [field for field in super().get_fields(request, obj) if field not in readonly]
        return [*editable, readonly] if obj else editable  # the read-only ones share a line

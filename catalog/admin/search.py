"""Search by the start of a title, in the admin's lists and forms."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from footfall.common.admin_urls import admin_address


class SearchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of the admins of models with a title; it also serves the search of `TitleSelect`."""

    search_fields = ("title",)
    search_help_text = gettext_lazy("Search by the start of the title")
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
        cls, field: ForeignKey[Any], site: admin.AdminSite, name: str, value: str = ""
    ) -> SafeString:
        """Render the select outside a form."""
        form_field: Any = field.formfield(widget=cls(field, site), required=False)
        rendered: SafeString = form_field.widget.render(name, value, {"id": f"id_{name}"})
        return rendered

    def get_url(self) -> str:
        return admin_address(self.admin_site, self.field.remote_field.model, "search")

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        attrs = super().build_attrs(*args, **kwargs)
        return attrs | {"data-placeholder": gettext("Search by the start of the title…")}

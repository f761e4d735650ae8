"""What the admins of all that is counted in the catalogue have in common."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from catalog.pages.admin_search import SearchAdmin
from footfall.admin import ChartedAdmin


def number_of(model: type[Model], *, by: str, what: str = "pk") -> Coalesce:
    """Return the expression that counts the different `what` of the rows whose `by` is the row."""
    rows: Any = model._default_manager.filter(**{by: OuterRef("pk")}).order_by().values(by)
    number = rows.annotate(number=Count(what, distinct=what != "pk")).values("number")
    return Coalesce(Subquery(number), 0)


class CountedAdmin(ChartedAdmin, SearchAdmin):
    """Its views and times are shown, and never asked for."""

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
        facts = CountedAdmin.readonly_fields
        asked = [field for field in super().get_fields(request, obj) if field not in facts]
        return [*asked, facts] if obj else asked  # the facts stand in one line

"""The base of the admins of countable models."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from catalog.admin.search import SearchAdmin
from footfall.admin import ChartedAdmin


def count_related(model: type[Model], *, by: str, field: str = "pk") -> Coalesce:
    """Return an expression for the number of distinct `field` values in related rows of `model`.

    by: the foreign key to the row that is annotated.
    """
    rows: Any = model._default_manager.filter(**{by: OuterRef("pk")}).order_by().values(by)
    number = rows.annotate(number=Count(field, distinct=field != "pk")).values("number")
    return Coalesce(Subquery(number), 0)


class CountedAdmin(ChartedAdmin, SearchAdmin):
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

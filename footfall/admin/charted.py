"""The base class for the admin of a countable model."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from footfall.admin.adjusting import AdjustingAdmin
from footfall.ops import dashboard


class ChartedAdmin(AdjustingAdmin):
    """Base class for the admin of a countable model: shows its views, and sets its counter."""

    class Media:
        css = {"all": ["counters/dashboard.css"]}

    def extra_fields(self, request: HttpRequest) -> list[str]:
        return ["views_chart", *(["set_counter"] if self.may_adjust(request) else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *self.extra_fields(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        extra = self.extra_fields(request)
        return [field for field in super().get_fields(request, obj) if field not in extra]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, (None, {"fields": self.extra_fields(request)})] if obj else fieldsets

    @admin.display(description=_("views over time"))
    def views_chart(self, target: Model) -> str:
        return render_to_string("counters/charts.html", {"charts": dashboard.charts_of(target)})

    @admin.display(description=_("counter"))
    def set_counter(self, target: Model) -> str:
        address = self.adjust_address([target.pk])
        return format_html('<a href="{}">{}</a>', address, _("Set counter…"))

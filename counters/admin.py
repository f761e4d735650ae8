"""The operators' side of the counting: the dashboard, and the rows behind it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from counters import dashboard
from counters.adjusting_admin import AdjustingAdmin, ModelAdmin
from counters.admin_addresses import admin_address
from counters.figures import Audit
from counters.models import Adjustment, Batch, Dashboard, Partition, SetAside
from counters.spill import replay
from counters.tasks import ask_for_audit


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the service writes and people only look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Dashboard)
class DashboardAdmin(ReadOnlyAdmin):
    """One page instead of a list. Its two parts refresh themselves, each from its own address."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.page), name="counters_dashboard_changelist"),
            path("health/", wrap(self.health), name="counters_dashboard_health"),
            path("views/", wrap(self.views), name="counters_dashboard_views"),
            path("audit/", wrap(require_POST(self.audit)), name="counters_dashboard_audit"),
        ]

    def page(self, request: HttpRequest) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Dashboard"),
            "opts": self.opts,
            **self.health_context(request),
            **self.views_context(request),
        }
        return TemplateResponse(request, "counters/dashboard.html", context)

    def health(self, request: HttpRequest) -> HttpResponse:
        return TemplateResponse(request, "counters/health.html", self.health_context(request))

    def views(self, request: HttpRequest) -> HttpResponse:
        return TemplateResponse(request, "counters/views.html", self.views_context(request))

    def audit(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("counters.add_audit"):
            raise PermissionDenied
        if ask_for_audit(request.user.pk):
            self.message_user(request, _("An audit was asked for."), messages.SUCCESS)
        else:
            text = _("No audit was asked for: Celery's broker does not answer.")
            self.message_user(request, text, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:counters_dashboard_changelist"))

    def health_context(self, request: HttpRequest) -> dict[str, Any]:
        self.require_permission(request)
        return {
            "health": dashboard.health(),
            "may_audit": request.user.has_perm("counters.add_audit"),
        }

    def views_context(self, request: HttpRequest) -> dict[str, Any]:
        self.require_permission(request)

        def link(target: Model) -> str:
            return address(self.admin_site, request, target)

        return {"viewed": dashboard.viewed(link)}

    def require_permission(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def address(site: admin.AdminSite, request: HttpRequest, target: Model) -> str:
    """Return where the admin shows `target`; "" if it does not, or not to this user."""
    model_admin = site._registry.get(type(target))
    if model_admin is None or not model_admin.has_view_permission(request, target):
        return ""
    try:
        return admin_address(site, type(target), "change", target.pk)
    except NoReverseMatch:
        return ""


class ChartedAdmin(AdjustingAdmin):
    """Base class of the admin of a countable model: shows its views over time, below the fields."""

    class Media:
        css = {"all": ["counters/dashboard.css"]}

    def facts(self, request: HttpRequest) -> list[str]:
        return ["views_chart", *(["set_counter"] if self.may_adjust(request) else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *self.facts(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        facts = self.facts(request)
        return [field for field in super().get_fields(request, obj) if field not in facts]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, (None, {"fields": self.facts(request)})] if obj else fieldsets

    @admin.display(description=_("views over time"))
    def views_chart(self, target: Model) -> str:
        return render_to_string("counters/charts.html", {"charts": dashboard.charts_of(target)})

    @admin.display(description=_("counter"))
    def set_counter(self, target: Model) -> str:
        return format_html('<a href="{}">{}</a>', self.adjust_address([target.pk]), _("Set it…"))


@admin.register(Audit)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("asked_at", "asked_by", "finished_at", "differences", "broken", "error")
    list_select_related = ("asked_by",)
    ordering = ("-pk",)


@admin.register(Partition)
class PartitionAdmin(ReadOnlyAdmin):
    list_display = ("number", "position", "events", "flushed_events", "flushed_at")


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("at", "events", "views", "targets", "drained", "seconds", "dropped")
    date_hierarchy = "at"
    show_full_result_count = False


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    list_display = ("at", "content_type", "target_id", "amount", "by", "reason")
    list_select_related = ("content_type", "by")


@admin.register(SetAside)
class SetAsideAdmin(ReadOnlyAdmin):
    """Events that could not be counted; deleting one dismisses it for good."""

    list_display = ("set_aside_at", "reason", "partition", "text")
    list_filter = ("set_aside_at",)
    search_fields = ("reason",)
    fields = ("set_aside_at", "reason", "partition", "at", "entry_id", "text")
    actions = ("replay",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    @admin.display(description=_("body"))
    def text(self, event: SetAside) -> str:
        return bytes(event.body)[:2000].decode(errors="backslashreplace")

    @admin.action(
        permissions=["delete"], description=_("Replay: try to count the selected events again")
    )
    def replay(self, request: HttpRequest, queryset: QuerySet[SetAside]) -> None:
        count = replay(queryset)
        text = ngettext(
            "%d event goes to the next flush.", "%d events go to the next flush.", count
        )
        self.message_user(request, text % count, messages.SUCCESS)

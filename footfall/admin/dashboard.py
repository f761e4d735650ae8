"""The admin's dashboard: health, and what is viewed."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from footfall.common.admin import ReadOnlyAdmin
from footfall.common.admin_urls import admin_address, key_in
from footfall.common.celery import enqueue
from footfall.conf import conf
from footfall.models import Burst, Dashboard
from footfall.ops.facts import gather
from footfall.ops.figures import bursts, export, view_figures
from footfall.ops.health import Level, find_problems
from footfall.registry import owner_of
from footfall.tasks import reclassify, request_audit

JUDGE = "counters.add_agentrule"
"""The permission to say what an agent or a visitor is."""


@admin.register(Dashboard)
class DashboardAdmin(ReadOnlyAdmin):
    """A page instead of a list. Its two parts refresh themselves, each from its own URL."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.page), name="counters_dashboard_changelist"),
            path("health/", wrap(self.health), name="counters_dashboard_health"),
            path("views/", wrap(self.views), name="counters_dashboard_views"),
            path("export/", wrap(self.export), name="counters_dashboard_export"),
            path("burst/", wrap(require_POST(self.burst)), name="counters_dashboard_burst"),
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
        if request_audit(request.user.pk):
            self.message_user(request, _("The audit was queued."), messages.SUCCESS)
        else:
            text = _("The audit could not be queued: Celery's broker does not answer.")
            self.message_user(request, text, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:counters_dashboard_changelist"))

    def burst(self, request: HttpRequest) -> HttpResponse:
        """Decide about a burst, and have the past follow."""
        self.require_permission(request)
        if not request.user.has_perm(JUDGE):
            raise PermissionDenied
        decision, _colon, pk = request.POST.get("decide", "").partition(":")
        try:
            burst = bursts.decide(key_in(pk) or 0, Burst.Decision(decision), request.user)
        except (ValueError, Burst.DoesNotExist, bursts.NotDecided):
            self.message_user(request, _("That cannot be decided about it."), messages.ERROR)
        else:
            self.log_change(request, burst, f"{burst}: {decision or 'open'}")
            self.follow(request)
        return HttpResponseRedirect(reverse("admin:counters_dashboard_changelist"))

    def follow(self, request: HttpRequest) -> None:
        """Queue the reclassification of what was counted before."""
        if enqueue(reclassify):
            text = _("It holds for all views, also those of the past: they follow within minutes.")
            self.message_user(request, text, messages.SUCCESS)
        else:
            text = _(
                "It was noted, but Celery's broker does not answer: `manage.py counters reclassify`"
                " applies it."
            )
            self.message_user(request, text, messages.WARNING)

    def health_context(self, request: HttpRequest) -> dict[str, Any]:
        self.require_permission(request)
        facts = gather()
        findings = find_problems(facts)
        return {
            "facts": facts,
            "findings": findings,
            "level": findings[0].level if findings else Level.GREEN,
            "keep_days": conf.COUNTERS_KEEP_DAYS,
            "may_audit": request.user.has_perm("counters.add_audit"),
        }

    def views_context(self, request: HttpRequest) -> dict[str, Any]:
        self.require_permission(request)
        what = view_figures.asked(request.GET.dict())
        return {
            **view_figures.viewed(what, partial(parts, self.admin_site)),
            "query": what.query(),
            "address": address(self.admin_site, request, what.target) if what.target else "",
            "bursts": bursts.latest(),
            "work": bursts.work(),
            "may_judge": request.user.has_perm(JUDGE),
        }

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Return the views of the range as CSV, with the permission that the page needs."""
        self.require_permission(request)
        what = view_figures.asked(request.GET.dict())
        if what.error:
            return HttpResponseBadRequest(what.error, content_type="text/plain; charset=utf-8")
        name = (
            f"{what.model._meta.label_lower}-{what.range.since:%Y%m%d}-{what.range.last_day:%Y%m%d}"
        )
        return StreamingHttpResponse(
            export.lines(what.model, what.range, what.target),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        )

    def require_permission(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def parts(site: admin.AdminSite, model: type[Model]) -> Sequence[str]:
    """Return where the parts of an object of a countable model are, see `ChartedAdmin`."""
    return getattr(site._registry.get(owner_of(model)), "viewed_with", ())


def address(site: admin.AdminSite, request: HttpRequest, target: Model) -> str:
    """Return the URL of `target` in the admin; "" if there is none for this user."""
    model_admin = site._registry.get(type(target))
    if model_admin is None or not model_admin.has_view_permission(request, target):
        return ""
    try:
        return admin_address(site, type(target), "change", target.pk)
    except NoReverseMatch:
        return ""

"""Setting counters by hand in the admin: from a list, or from an object's own page."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from counters.models import Adjustment
from counters.registry import content_type_of, countable_models, counted_as, counter_of
from counters.reset import MOST, reset

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

AT_ONCE = 1_000
SHOWN = 20
"""So many of the chosen objects, and of earlier adjustments, are shown before the reset."""


class ResetForm(forms.Form):
    to = forms.IntegerField(label=_("New value"), min_value=0, max_value=MOST, initial=0)
    why = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "vLargeTextField"}),
        help_text=_("Kept with your name, the time and the amount."),
    )


class ResettableAdmin(ModelAdmin):
    """Base class of the admin of a countable model: its counters can be set by hand.

    By those who may change the object and add adjustments.
    """

    actions: Any = ("reset_counters",)

    def has_reset_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_adjust = request.user.has_perm("counters.add_adjustment")
        return may_adjust and self.has_change_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        opts = self.opts
        page = self.admin_site.admin_view(self.reset_view)
        name = f"{opts.app_label}_{opts.model_name}_reset"
        return [path("<path:object_id>/reset/", page, name=name), *super().get_urls()]

    @admin.action(
        permissions=["reset"],
        description=_("Set the counters of selected %(verbose_name_plural)s"),
    )
    def reset_counters(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        targets = list(queryset[: AT_ONCE + 1])
        if len(targets) > AT_ONCE:
            text = _("At most %d counters are set at once.") % AT_ONCE
            self.message_user(request, text, messages.ERROR)
            return None
        back = request.get_full_path()
        return self._reset_page(request, targets, back, is_sent="to" in request.POST)

    def reset_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        target = self.get_object(request, unquote(object_id))
        if target is None:
            raise Http404
        name = f"{self.opts.app_label}_{self.opts.model_name}_change"
        back = reverse(f"{self.admin_site.name}:{name}", args=[object_id])
        return self._reset_page(request, [target], back, is_sent=request.method == "POST")

    def _reset_page(
        self, request: HttpRequest, targets: list[Model], back: str, *, is_sent: bool
    ) -> HttpResponse:
        if not all(self.has_reset_permission(request, target) for target in targets):
            raise PermissionDenied
        form = ResetForm(request.POST if is_sent else None)
        if form.is_valid():
            self._reset(request, targets, **form.cleaned_data)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Set the counter") if len(targets) == 1 else _("Set the counters"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "back": back,
            "targets": [(target, counter_of(target)) for target in targets[:SHOWN]],
            "more": max(0, len(targets) - SHOWN),
            "adjustments": _adjustments(targets[0])[:SHOWN] if len(targets) == 1 else [],
            "action": request.POST.get("action", ""),
            "checkbox": ACTION_CHECKBOX_NAME,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "counters/reset.html", context)

    def _reset(self, request: HttpRequest, targets: Iterable[Model], to: int, why: str) -> None:
        done = 0
        for target in targets:
            amount = reset(type(target), target.pk, to, why, request.user)  # type: ignore[arg-type]
            if amount:
                done += 1
                self.log_change(request, target, f"counter set to {to} ({amount:+d}): {why}")
        text = ngettext("%d counter was set.", "%d counters were set.", done)
        self.message_user(request, text % done, messages.SUCCESS)

    @admin.display(description=_("counter"))
    def reset_link(self, target: Model) -> str:
        name = f"{self.opts.app_label}_{self.opts.model_name}_reset"
        address = reverse(f"{self.admin_site.name}:{name}", args=[target.pk])
        return format_html('<a href="{}">{}</a>', address, _("Set it by hand"))


def _adjustments(target: Model) -> QuerySet[Adjustment]:
    content_type = content_type_of(countable_models()[counted_as(type(target))])
    of_target = Adjustment.objects.filter(content_type=content_type, target_id=target.pk)
    return of_target.select_related("by").order_by("-pk")

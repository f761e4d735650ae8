"""The base class for the admin of a countable model: shows its views, and sets its counter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from footfall.common.admin import ModelAdmin
from footfall.common.admin_urls import admin_address
from footfall.common.wording import number
from footfall.models.querysets import beginning_of, counter_of_rows, views_of_rows
from footfall.ops.adjust import MAX_COUNTER, adjust
from footfall.ops.figures import view_figures
from footfall.projections.kept.rows import valid_keys
from footfall.registry import counter_of

if TYPE_CHECKING:
    MixedInto = ModelAdmin
else:
    MixedInto = object

PERMISSION = "counters.add_adjustment"
MAX_SELECTED = 200  # their ids are in a URL


class AdjustForm(forms.Form):
    to = forms.IntegerField(label=_("Set to"), initial=0, min_value=0, max_value=MAX_COUNTER)
    why = forms.CharField(label=_("Reason"), max_length=1000, widget=forms.Textarea({"rows": 3}))


class ChartedAdminMixin(MixedInto):
    """Shows the views of an object on its page, and sets counters: by an action and a page.

    Before any `ModelAdmin` in the bases. Its columns for `list_display` are `views_counted` and,
    of the last `views_days` days, `views_lately`; both order the list. One that has `actions` of
    its own names `adjust_counters` there.
    """

    actions: Any = ("adjust_counters",)
    viewed_with: Sequence[str] = ()
    """Lookups to what the dashboard shows below an object: `("placements__content",)`."""
    views_days: float = 7
    """Times 24 hours. `views_lately` costs a subquery for each row, and for all when it orders."""

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(css={"all": ["counters/dashboard.css"]})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Annotate what the columns show, if the list has them."""
        rows: Any = super().get_queryset(request)
        shown = {"views_counted", "views_lately"}.intersection(self.get_list_display(request))
        if "views_counted" in shown:
            rows = rows.annotate(views_counted=counter_of_rows(rows.model))
        if "views_lately" in shown:
            since = beginning_of(self.views_days)
            rows = rows.annotate(views_lately=views_of_rows(rows.model, since))
        return rows  # type: ignore[no-any-return]

    @admin.display(description=_("views"), ordering="views_counted")
    def views_counted(self, target: Any) -> str:
        return number(target.views_counted)

    @admin.display(description=_("views lately"), ordering="views_lately")
    def views_lately(self, target: Any) -> str:
        return number(target.views_lately)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.adjust_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_adjust"
        return [path("adjust/", view, name=name), *super().get_urls()]

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
        return render_to_string("counters/charts.html", {"charts": view_figures.charts_of(target)})

    @admin.display(description=_("counter"))
    def set_counter(self, target: Model) -> str:
        address = self.adjust_address([target.pk])
        return format_html('<a href="{}">{}</a>', address, _("Set counter…"))

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        if not self.may_adjust(request):
            actions.pop("adjust_counters", None)
        return actions

    def may_adjust(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(PERMISSION)

    def adjust_address(self, ids: list[Any]) -> str:
        where = admin_address(self.admin_site, self.model, "adjust")
        return f"{where}?{urlencode({'id': ids}, doseq=True)}"

    @admin.action(description=_("Set counters of selected %(verbose_name_plural)s"))
    def adjust_counters(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        selected = list(queryset.values_list("pk", flat=True)[: MAX_SELECTED + 1])
        if len(selected) > MAX_SELECTED:
            text = _("Select at most %(maximum)d.") % {"maximum": MAX_SELECTED}
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(self.adjust_address(selected))

    def adjust_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form; on POST set each counter and log the change."""
        if not self.may_adjust(request):
            raise PermissionDenied
        keys = valid_keys(self.model, request.GET.getlist("id"))
        targets = list(self.get_queryset(request).filter(pk__in=keys).order_by("pk"))
        form = AdjustForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self.set_counters(request, targets, **form.cleaned_data)
            return HttpResponseRedirect(admin_address(self.admin_site, self.model, "changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Set counters"),
            "opts": self.opts,
            "form": form,
            "targets": [(target, counter_of(target)) for target in targets],
        }
        return TemplateResponse(request, "counters/adjust.html", context)

    def set_counters(self, request: HttpRequest, targets: list[Any], to: int, why: str) -> None:
        count = 0
        for target in targets:
            try:
                adjusted = adjust(type(target), target.pk, to=to, why=why, who=request.user)
            except type(target).DoesNotExist:  # deleted while the reason was typed
                continue
            if adjusted:
                count += 1
                self.log_change(request, target, f"counter {adjusted.amount:+d}: {why}")
        text = ngettext(
            "%(count)d counter was set to %(to)d.", "%(count)d counters were set to %(to)d.", count
        )
        self.message_user(request, text % {"count": count, "to": to}, messages.SUCCESS)


class ChartedAdmin(ChartedAdminMixin, ModelAdmin):
    """A `ModelAdmin` with it."""

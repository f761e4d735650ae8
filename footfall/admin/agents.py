"""The agents, by views, and what operators decide about them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from footfall.common.admin import ModelAdmin, ReadOnlyAdmin
from footfall.models import Agent, AgentCount, AgentRule, How, Kind
from footfall.viewers.classify import list_version
from footfall.viewers.rules import Rules, checked

MAX_COMPARED = 2_000
"""Of so many agents with the most views it is told whether they are judged differently now."""
JUDGED = (Kind.PERSON, Kind.ROBOT, Kind.MONITOR, Kind.LIBRARY, Kind.UNKNOWN)
"""What an operator can call an agent: prefetches are told by their headers."""


def differing(rules: Rules) -> list[int]:
    """Return those of the most viewed agents that `counters reclassify` would change."""
    agents = Agent.objects.order_by("-views")[:MAX_COMPARED]
    return [one.pk for one in agents if rules.wanted(one.string, one.how) != one.kind]


class DifferingFilter(admin.SimpleListFilter):
    title = _("judged differently today")
    parameter_name = "differs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=differing(Rules.read())) if self.value() else queryset


class AgentChangeList(ChangeList):
    """Judges the agents of a page by the rules and the list of today."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rules = Rules.read()
        for agent in self.result_list:
            agent.wanted = rules.wanted(agent.string, agent.how)


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    list_display = ("name", "views", "kind", "today", "how", "last_at")
    list_filter = ("kind", "how", DifferingFilter)
    search_fields = ("string",)
    ordering = ("-views", "hash")
    fields = ("name", "number", "kind", "today", "how", "views", "last_at", "first_at")
    readonly_fields = fields
    show_full_result_count = False
    change_list_template = "counters/agents.html"
    actions = tuple(f"judge_{kind.name.lower()}" for kind in JUDGED)

    @admin.display(description=_("user agent"), ordering="string")
    def name(self, agent: Agent) -> str:
        if agent.string:
            return agent.string
        return gettext("(none)") if agent.how or agent.views else gettext("(not told yet)")

    @admin.display(description=_("number in the events"))
    def number(self, agent: Agent) -> str:
        return f"{agent.hash % 2**64:016x}"

    @admin.display(description=_("judged today"))
    def today(self, agent: Agent) -> str:
        wanted = getattr(agent, "wanted", None)
        if wanted is None:
            wanted = Rules.read().wanted(agent.string, agent.how)
        if wanted == agent.kind:
            return "="
        return format_html("<strong>→ {}</strong>", Kind(wanted).label)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AgentChangeList

    def has_judge_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("counters.add_agentrule")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        rules = None
        if request.user.has_perm("counters.view_agentrule"):
            rules = reverse(f"{self.admin_site.name}:counters_agentrule_changelist")
        context = {
            "list_version": list_version(),
            "differing": len(differing(Rules.read())),
            "compared": MAX_COMPARED,
            "count": AgentCount.objects.first(),
            "rules_address": rules,
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def judge(self, request: HttpRequest, queryset: QuerySet[Agent], kind: Kind) -> None:
        """Make a rule for each of the agents: exactly its string is of this kind."""
        agents = list(queryset.order_by("hash"))
        rules = [
            AgentRule(
                match=AgentRule.Match.EXACT, value=one.string, kind=kind, by_id=request.user.pk
            )
            for one in agents
            if one.string and one.how == How.PLAIN
        ]
        for rule in rules:
            rule.save()
            self.log_addition(request, rule, f"{rule}")
        if skipped := len(agents) - len(rules):
            text = ngettext(
                "%d agent was left out: it is told by headers or address, or it has no name.",
                "%d agents were left out: they are told by headers or address, or have no name.",
                skipped,
            )
            self.message_user(request, text % skipped, messages.WARNING)
        if rules:
            text = ngettext(
                "%d rule was added. `manage.py counters reclassify` applies it to the past.",
                "%d rules were added. `manage.py counters reclassify` applies them to the past.",
                len(rules),
            )
            self.message_user(request, text % len(rules), messages.SUCCESS)

    @admin.action(permissions=["judge"], description=_("This is a person"))
    def judge_person(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self.judge(request, queryset, Kind.PERSON)

    @admin.action(permissions=["judge"], description=_("This is a robot"))
    def judge_robot(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self.judge(request, queryset, Kind.ROBOT)

    @admin.action(permissions=["judge"], description=_("This is a monitor"))
    def judge_monitor(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self.judge(request, queryset, Kind.MONITOR)

    @admin.action(permissions=["judge"], description=_("This is a library"))
    def judge_library(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self.judge(request, queryset, Kind.LIBRARY)

    @admin.action(permissions=["judge"], description=_("It is not known what this is"))
    def judge_unknown(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self.judge(request, queryset, Kind.UNKNOWN)


class AgentRuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic when it runs
    class Meta:
        model = AgentRule
        fields = ("match", "value", "kind", "note")
        help_texts = {
            "value": _(
                "A user agent, or a pattern in which * stands for any characters: *ExampleBot/*. A"
                " pattern must match the whole user agent, in upper or lower case. An address"
                " range: 10.1.0.0/16."
            ),
            "kind": _("Views from an address range are always those of a monitor."),
        }

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("match") and data.get("value"):
            try:
                data["value"] = checked(data["match"], data["value"])
            except ValidationError as error:
                self.add_error("value", error)
        if data.get("match") == AgentRule.Match.ADDRESSES:
            data["kind"] = Kind.MONITOR
        return data


@admin.register(AgentRule)
class AgentRuleAdmin(ModelAdmin):
    """Rules are added and deleted, so each says who made it, and when."""

    form = AgentRuleForm
    list_display = ("value", "match", "kind", "note", "by", "at")
    list_filter = ("match", "kind")
    list_select_related = ("by",)
    search_fields = ("value", "note")
    ordering = (F("pk").desc(),)

    def has_change_permission(self, request: HttpRequest, obj: AgentRule | None = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"match": AgentRule.Match.PATTERN, "kind": Kind.ROBOT}

    def save_model(self, request: HttpRequest, obj: AgentRule, form: Any, change: bool) -> None:
        obj.by_id = request.user.pk
        super().save_model(request, obj, form, change)
        if obj.match == AgentRule.Match.ADDRESSES:
            text = _("It is known to all processes within a minute, and holds from then on.")
        else:
            text = _(
                "New agents are judged by it. `manage.py counters reclassify` applies it to those"
                " that were seen before, and to the past."
            )
        self.message_user(request, text)

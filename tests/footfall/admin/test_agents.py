"""Operators see agents by views, and decide what they are."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from footfall.models import Agent, AgentRule, How, Kind
from footfall.viewers.classify import list_version
from tests.support.people import make_user

pytestmark = pytest.mark.django_db
LIST = "admin:counters_agent_changelist"
ADD = "admin:counters_agentrule_add"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def agents() -> list[Agent]:
    return Agent.objects.bulk_create([
        Agent(hash=1, string=FIREFOX, kind=Kind.PERSON, views=50),
        Agent(hash=-2, string="curl/8.14.1", kind=Kind.LIBRARY, views=900),
        Agent(hash=3, string=FIREFOX, how=How.PREFETCH, kind=Kind.PREFETCH, views=7),
        Agent(hash=4, string="<script>late", kind=Kind.PERSON, views=3),
        Agent(hash=5),
    ])  # fmt: skip


def listed(client: Client, **query: str) -> str:
    return client.get(reverse(LIST), query).content.decode()


def order(page: str) -> list[str]:
    return re.findall(r"counters/agent/(-?\d+)/change", page)


def judge(client: Client, kind: str, *agents: Agent) -> str:
    data = {"action": f"judge_{kind}", "_selected_action": [one.pk for one in agents]}
    return client.post(reverse(LIST), data, follow=True).content.decode()


def test_they_are_listed_by_views_with_the_version_of_the_list(
    admin_client: Client, agents: list[Agent]
) -> None:
    page = listed(admin_client)

    assert order(page) == ["-2", "1", "3", "4", "5"]
    assert list_version() in page
    assert "&lt;script&gt;late" in page


def test_they_can_be_searched_and_chosen_by_kind(admin_client: Client, agents: list[Agent]) -> None:
    assert order(listed(admin_client, q="firefox")) == ["1", "3"]
    assert order(listed(admin_client, kind__exact=str(Kind.LIBRARY.value))) == ["-2"]


def test_what_is_judged_differently_today_is_told(
    admin_client: Client, agents: list[Agent]
) -> None:
    page = listed(admin_client)

    assert "<strong>1 agent</strong> of the 2000 most viewed is judged differently" in page
    assert "counters reclassify" in page
    assert order(listed(admin_client, differs="yes")) == ["4"]
    one = admin_client.get(reverse("admin:counters_agent_change", args=[4])).content.decode()
    assert "→ unknown" in page
    assert "→ unknown" in one


def test_one_can_be_called_a_robot(
    admin_client: Client, admin_user: User, agents: list[Agent]
) -> None:
    answer = judge(admin_client, "robot", *agents[:2], agents[2], agents[4])

    rules = AgentRule.objects.order_by("value").values_list("match", "value", "kind", "by")
    assert list(rules) == [
        ("exact", FIREFOX, Kind.ROBOT, admin_user.pk),
        ("exact", "curl/8.14.1", Kind.ROBOT, admin_user.pk),
    ]
    assert "2 rules were added" in answer
    assert "2 agents were left out" in answer
    assert order(listed(admin_client, differs="yes")) == ["-2", "1", "4"]
    agents[0].refresh_from_db()
    assert agents[0].kind == Kind.PERSON  # only `reclassify` changes it


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.MONITOR, Kind.LIBRARY, Kind.UNKNOWN])
def test_or_something_else(admin_client: Client, agents: list[Agent], kind: Kind) -> None:
    judge(admin_client, kind.name.lower(), agents[1])

    assert AgentRule.objects.get().kind == kind


def test_who_may_look_may_not_judge(client: Client, agents: list[Agent]) -> None:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_agent"))
    client.force_login(user)

    page = listed(client)
    judge(client, "robot", agents[0])

    assert order(page)
    assert "judge_robot" not in page
    assert reverse("admin:counters_agentrule_changelist") not in page
    assert not AgentRule.objects.exists()


def add(client: Client, **data: str) -> str:
    return client.post(reverse(ADD), data, follow=True).content.decode()


def test_a_rule_is_added_by_someone_and_deleted(admin_client: Client, admin_user: User) -> None:
    answer = add(admin_client, match="pattern", value=" *Thing/* ", kind="2", note="seen today")

    rule = AgentRule.objects.get()
    assert (rule.value, rule.kind, rule.by, rule.note) == (
        "*Thing/*", Kind.ROBOT, admin_user, "seen today",
    )  # fmt: skip
    assert "counters reclassify" in answer
    change = reverse("admin:counters_agentrule_change", args=[rule.pk])
    assert admin_client.post(change, {"value": "other"}).status_code == 403
    delete = reverse("admin:counters_agentrule_delete", args=[rule.pk])
    admin_client.post(delete, {"post": "yes"})
    assert not AgentRule.objects.exists()


@pytest.mark.parametrize(
    ("match", "value", "reason"),
    [
        ("pattern", ".*Thing", "This is not a regular expression"),
        ("pattern", "*", "This would match every user agent"),
        ("addresses", "10.0.0.1/8", "has host bits set"),
        ("addresses", "our monitors", "Not an address range"),
    ],
)
def test_a_bad_rule_is_refused_with_the_reason(
    admin_client: Client, match: str, value: str, reason: str
) -> None:
    answer = add(admin_client, match=match, value=value, kind="2")

    assert reason in answer
    assert not AgentRule.objects.exists()


def test_an_address_range_is_one_of_monitors(admin_client: Client) -> None:
    answer = add(admin_client, match="addresses", value="10.1.0.0/16", kind="2")

    assert AgentRule.objects.get().kind == Kind.MONITOR
    assert "within a minute" in answer

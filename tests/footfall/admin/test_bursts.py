"""Bursts on the dashboard: one click leaves one out, backwards too."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from catalog.pages.models import Content, Page
from footfall import tasks
from footfall.admin import dashboard
from footfall.flush import flush
from footfall.models import AgentRule, Burst, Correcting, Kind, LeftOut, Reclassification
from footfall.ops.workers import Workers
from footfall.record import record
from footfall.viewers import bursts
from footfall.viewers.bursts import find_bursts
from tests.support.agents import BROWSER, by_kind
from tests.support.people import make_user
from tests.support.views import Answering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]
VIEWS = reverse("admin:counters_dashboard_views")
DECIDE = reverse("admin:counters_dashboard_burst")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, answering: Answering) -> None:
    """What is queued is done before the answer."""
    answering(Workers())
    monkeypatch.setattr(dashboard, "enqueue", lambda task: task.apply(throw=True) is not None)
    monkeypatch.setattr(bursts, "FLOOR", 50)


@pytest.fixture
def burst(page: Page, contents: list[Content]) -> Burst:
    """Sixty views by one visitor, beside two by another."""
    for address, times in (("192.0.2.1", 60), ("198.51.100.9", 2)):
        request = {"HTTP_USER_AGENT": BROWSER, "REMOTE_ADDR": address}
        for _ in range(times):
            record(page, contents[:1], request=request)
    flush()
    find_bursts()
    return Burst.objects.get()


def shown(client: Client) -> str:
    page = client.get(VIEWS).content.decode()
    found = re.search(r'<section class="ff-card ff-bursts".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def decide(client: Client, what: str) -> str:
    answer = client.post(DECIDE, {"decide": what}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_one_nothing_is_said(admin_client: Client) -> None:
    assert shown(admin_client) == ""


def test_it_says_who_how_many_and_what_is_usual(admin_client: Client, burst: Burst) -> None:
    text = shown(admin_client)

    assert "<strong>60 views</strong>" in text
    assert "by one visitor" in text
    assert "usual: 2" in text
    assert BROWSER in text


def test_one_click_leaves_the_visitor_out_of_the_past(
    admin_client: Client, admin_user: User, burst: Burst
) -> None:
    assert f'value="visitor:{burst.pk}"' in shown(admin_client)

    answer = decide(admin_client, f"visitor:{burst.pk}")

    assert "they follow within minutes" in answer
    assert by_kind() == {"views": 124, "person": 4, "robot": 120}
    assert f"the visitor is left out · {admin_user}" in shown(admin_client)
    assert LeftOut.objects.get().by == admin_user

    decide(admin_client, f":{burst.pk}")
    assert by_kind() == {"views": 124, "person": 124}
    assert f'value="visitor:{burst.pk}"' in shown(admin_client)


def test_one_click_calls_the_agent_a_robot(admin_client: Client, burst: Burst) -> None:
    decide(admin_client, f"agent:{burst.pk}")

    assert by_kind() == {"views": 124, "robot": 124}
    rule = AgentRule.objects.get()
    assert (rule.value, rule.kind) == (BROWSER, Kind.ROBOT)

    decide(admin_client, f"visitor:{burst.pk}")
    assert not AgentRule.objects.exists(), "another decision takes the place of the first"
    assert by_kind() == {"views": 124, "person": 4, "robot": 120}


def test_one_can_be_counted_as_it_is(admin_client: Client, burst: Burst) -> None:
    decide(admin_client, f"kept:{burst.pk}")

    find_bursts()
    assert "counted as it is" in shown(admin_client)
    assert by_kind() == {"views": 124, "person": 124}


def test_a_visitor_of_two_bursts_is_left_out_until_both_are_taken_back(
    admin_client: Client, burst: Burst
) -> None:
    first = burst.pk
    burst.pk, burst.hour = None, burst.hour - timedelta(hours=1)
    burst.save()
    for pk in (first, burst.pk):
        decide(admin_client, f"visitor:{pk}")

    decide(admin_client, f":{first}")
    assert by_kind()["robot"] == 120
    decide(admin_client, f":{burst.pk}")
    assert by_kind() == {"views": 124, "person": 124}


def test_what_cannot_be_decided_is_said(admin_client: Client, burst: Burst) -> None:
    assert "That cannot be decided about it." in decide(admin_client, "")
    for times, what in enumerate(("visitor", "visitor:0", f"person:{burst.pk}", "visitor:x"), 1):
        answer = admin_client.post(DECIDE, {"decide": what})

        said = [str(one) for one in get_messages(answer.wsgi_request)]
        assert said == ["That cannot be decided about it."] * times, what
        assert Burst.objects.get().decision == "", what


def test_what_has_no_name_cannot_be_called_a_robot(admin_client: Client, burst: Burst) -> None:
    Burst.objects.update(agent=0, visitor=0)

    text = shown(admin_client)

    assert "agent:" not in text
    assert "visitor:" not in text
    for how in ("agent", "visitor"):
        assert "That cannot be decided" in decide(admin_client, f"{how}:{burst.pk}")
    assert not AgentRule.objects.exists()
    assert not LeftOut.objects.exists()


def test_without_a_broker_the_decision_is_kept_and_the_command_named(
    admin_client: Client, burst: Burst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "enqueue", lambda task: False)

    answer = decide(admin_client, f"visitor:{burst.pk}")

    assert "counters reclassify" in answer
    assert LeftOut.objects.get().is_wanted
    tasks.reclassify.apply(throw=True)
    assert by_kind()["robot"] == 120


def test_it_needs_the_permission_to_judge(client: Client, burst: Burst) -> None:
    operator = make_user(is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename="view_dashboard"))
    client.force_login(operator)

    assert "<button" not in shown(client)
    assert client.post(DECIDE, {"decide": f"visitor:{burst.pk}"}).status_code == 403
    client.logout()
    assert client.post(DECIDE, {"decide": f"visitor:{burst.pk}"}).status_code == 302
    assert client.get(DECIDE).status_code != 200
    assert not LeftOut.objects.exists()


def test_old_ones_are_not_shown(admin_client: Client, burst: Burst) -> None:
    Burst.objects.update(hour=timezone.now() - timedelta(days=8))

    assert shown(admin_client) == ""


def test_it_is_shown_how_far_the_past_follows(admin_client: Client) -> None:
    row = Reclassification.objects.create(version=1, token=1)
    for label, events, done in (("a.a", 30, False), ("a.b", 10, True)):
        Correcting.objects.create(
            reclassification=row, label=label, number=1, key=1, events=events, done=done,
            boundary_number=2, boundary_key=2, boundary_events=1000,
        )  # fmt: skip

    page = admin_client.get(VIEWS).content.decode()

    assert '<progress id="ff-work" value="1030" max="2000">' in page
    assert "1,030 of 2,000 events" in page
    Reclassification.objects.update(finished_at=timezone.now())
    assert "<progress" not in admin_client.get(VIEWS).content.decode()

"""What django-hitcount and dj-hitcount do, and what does it here; the rest is tested elsewhere."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Page
from footfall.flush import flush, project
from footfall.models import AgentRule, CountableQuerySet, Kind
from footfall.policies import People
from footfall.record import record
from footfall.registry import counter_field
from footfall.viewers.memory import memory, read
from footfall.web.views import CountedDetailView
from tests.support.agents import BROWSER
from tests.support.projections import view

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]

ROOM = Path(__file__).parents[1]
MOVING = (settings.BASE_DIR / "docs/adopt/moving.md").read_text()

ELSEWHERE = {
    "once per session or user while a hit is active": (
        "policies/test_visitors.py::test_once_and_again_after_the_window"
    ),
    "HITCOUNT_HITS_PER_IP_LIMIT, HITCOUNT_HITS_PER_SESSION_LIMIT": (
        "policies/test_visitors.py::test_a_limit_by_visitor"
    ),
    "HITCOUNT_EXCLUDE_USER_GROUP": "policies/test_exclude.py::test_owner_staff_and_groups",
    "HITCOUNT_USE_IP": "viewers/test_request.py::test_visitors_can_be_switched_off",
    "blocked user agents, also of hits that were counted": (
        "policies/test_people.py::test_agents_are_classified_anew"
    ),
    "blocking a user agent in the admin": "admin/test_agents.py::test_one_can_be_called_a_robot",
    "hitcount_cleanup, HITCOUNT_KEEP_HIT_IN_DATABASE": (
        "store/test_retain.py::test_what_is_old_is_in_the_base_by_target_and_hour"
    ),
    "hits in the last period": "models/test_querysets.py::test_views_since_a_time",
    "order_by hit_count_generic__hits": (
        "models/test_querysets.py::test_the_most_viewed_come_first_and_can_be_filtered"
    ),
    "Hit.delete()": "admin/test_adjusting.py::test_the_command_sets_a_counter",
    "HitCountJSONView, its script": "web/test_beacon.py::test_each_id_counts_once",
    "hits and counts that are there": "adopt/test_hitcount.py::test_totals_hours_and_kinds",
}
SETTINGS = (
    "KEEP_HIT_ACTIVE", "HITS_PER_IP_LIMIT", "HITS_PER_SESSION_LIMIT", "EXCLUDE_USER_GROUP",
    "KEEP_HIT_IN_DATABASE", "USE_IP", "HITCOUNT_MODEL",
)  # fmt: skip
TAGS = ("get_hit_count", "get_hit_count_js_variables", "insert_hit_count_js")


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_it_is_tested_elsewhere(where: str) -> None:
    module, _, name = where.partition("::")

    assert re.search(rf"(?m)^def {name}\(", (ROOM / module).read_text())


def test_every_setting_tag_and_signal_has_its_place_in_the_docs() -> None:
    for name in (*(f"HITCOUNT_{one}" for one in SETTINGS), *TAGS, "delete_hit_count"):
        assert re.search(rf"\b{name}\b", MOVING), name


class Shown(CountedDetailView):
    model = Page
    template_name = "shown.html"


@pytest.fixture
def templates(settings: Settings) -> None:
    loader = "django.template.loaders.locmem.Loader"
    shown = "{% load footfall %}{{ object.counter }} {{ object|views }} {{ object.pk }}"
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [(loader, {"shown.html": shown})]},
        }
    ]


@pytest.mark.usefixtures("templates")
def test_the_context_of_a_detail_view_has_the_total(page: Page) -> None:
    """As `hitcount.total_hits` and `hitcount.pk`; this view is in it about a second later."""

    def read() -> str:
        response = Shown.as_view()(RequestFactory().get("/"), pk=page.pk)
        return response.render().content.decode()  # type: ignore[attr-defined,no-any-return]

    assert read() == f"0 0 {page.pk}"
    flush()

    assert read() == f"1 1 {page.pk}"


def test_hits_within_a_period_into_a_variable(page: Page) -> None:
    """As `{% get_hit_count for page within "days=7" as hits %}` and `hits_in_last(days=7)`."""
    now = timezone.now()
    for days, times in ((0, 2), (3, 4), (9, 8)):
        at = int((now - timedelta(days=days)).timestamp() * 1000)
        view({"pages.page": [page.pk]}, times, at=at)
    project(force=True)
    text = "{% load footfall %}{% views_since page days=7 as hits %}[{{ hits }}]"

    assert Template(text).render(Context({"page": page})) == "[6]"
    pages: CountableQuerySet[Page] = CountableQuerySet(Page)
    found = pages.with_views(since=now - timedelta(days=10), name="hits").get(pk=page.pk)
    assert found.hits == 14  # type: ignore[attr-defined]


def test_blocked_agents_and_addresses_are_not_counted(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As BlockedUserAgent and BlockedIP, where the counter counts people."""
    monkeypatch.setattr(counter_field(Page), "policy", People())
    AgentRule.objects.create(match="exact", value=f"{BROWSER} bad", kind=Kind.ROBOT)
    AgentRule.objects.create(match="addresses", value="198.51.100.0/24", kind=Kind.MONITOR)
    known = memory()
    known._forget()
    monkeypatch.setattr(known, "_read", read())  # as a process does every minute
    monkeypatch.setattr(known, "_due", float("inf"))

    for agent, address in (
        (BROWSER, "192.0.2.1"),
        (f"{BROWSER} bad", "192.0.2.1"),
        (BROWSER, "198.51.100.7"),
    ):
        headers = {"user-agent": agent}
        record(page, request=RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))
    known._forget()
    flush()

    page.refresh_from_db()
    assert page.counter == 1

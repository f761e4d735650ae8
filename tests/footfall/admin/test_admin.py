"""Operators see dead letters, and replay or delete them."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from catalog.pages.models import Content, Page
from footfall import events
from footfall.flush import flush
from footfall.models import DeadLetter, Kind, Reclassification, Segment, Spilled
from footfall.reclassify.past import reclassify
from footfall.record import record
from tests.support.agents import HIDDEN, decide, seen
from tests.support.projections import view
from tests.support.views import AT, Counts

pytestmark = pytest.mark.django_db
LIST = "admin:counters_deadletter_changelist"


@pytest.fixture
def event(contents: list[Content]) -> DeadLetter:
    body = events.encode({"pages.content": [contents[0].pk]})
    return DeadLetter.objects.create(partition=0, at=AT, body=body, reason="no countable model")


def test_dead_letters_are_shown(admin_client: Client, event: DeadLetter) -> None:
    DeadLetter.objects.create(partition=0, at=-1, body=b"<script>\xff\x00", reason="not JSON")

    listed = admin_client.get(reverse(LIST)).content.decode()
    shown = admin_client.get(reverse("admin:counters_deadletter_change", args=[event.pk]))

    assert "no countable model" in listed
    assert "&lt;script&gt;\\xff" in listed
    assert b"pages.content" in shown.content


def test_replaying_counts_them(admin_client: Client, event: DeadLetter, counts: Counts) -> None:
    data = {"action": "replay", "_selected_action": [event.pk]}

    answer = admin_client.post(reverse(LIST), data, follow=True)

    assert "1 event goes to the next flush." in answer.content.decode()
    flush()
    assert counts() == [1, 0, 0]


def test_those_that_were_replayed_are_shown_when_they_are_asked_for(
    admin_client: Client, admin_user: User, event: DeadLetter
) -> None:
    """And stay: without them their entries, read again, would count again."""
    data = {"action": "replay", "_selected_action": [event.pk]}
    admin_client.post(reverse(LIST), data)

    def listed(**query: str) -> bool:
        return "no countable model" in admin_client.get(reverse(LIST), query).content.decode()

    assert [listed(), listed(replayed="yes"), listed(replayed="all")] == [False, True, True]
    assert DeadLetter.objects.get().replayed_by == admin_user
    again = admin_client.post(f"{reverse(LIST)}?replayed=all", data, follow=True)
    assert "0 events go to the next flush." in again.content.decode()
    data = {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"}
    admin_client.post(f"{reverse(LIST)}?replayed=all", data)
    assert DeadLetter.objects.exists()


def test_looking_is_not_replaying(client: Client, event: DeadLetter) -> None:
    viewer = get_user_model().objects.create_user("viewer", "v@example.com", "v", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_deadletter"))
    client.force_login(viewer)
    data = {"action": "replay", "_selected_action": [event.pk]}

    client.post(reverse(LIST), data, follow=True)

    assert DeadLetter.objects.exists()
    assert not Spilled.objects.exists()


def test_deleting_dismisses(admin_client: Client, event: DeadLetter) -> None:
    data = {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"}

    admin_client.post(reverse(LIST), data, follow=True)

    assert not DeadLetter.objects.exists()
    assert not Spilled.objects.exists()


@pytest.mark.parametrize(
    "model", ["partition", "segment", "projection", "adjustment", "audit", "reclassification"]
)
def test_the_rest_is_shown_and_cannot_be_changed(
    admin_client: Client, page: Page, model: str
) -> None:
    record(page)
    flush()

    assert admin_client.get(reverse(f"admin:counters_{model}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"admin:counters_{model}_add")).status_code == 403


def test_what_was_reclassified_is_shown(admin_client: Client, page: Page) -> None:
    view({"pages.page": [page.pk]}, 7, agent=seen(HIDDEN))
    flush()
    decide(HIDDEN, Kind.ROBOT)
    reclassify()
    row = Reclassification.objects.get()

    addresses = [
        reverse("admin:counters_reclassification_changelist"),
        reverse("admin:counters_reclassification_change", args=[row.pk]),
    ]
    shown = [admin_client.get(address).content.decode() for address in addresses]

    assert all("7 views from person to robot" in one for one in shown)
    assert f"{HIDDEN}: person → robot" in shown[1]
    ledger = admin_client.get(reverse("admin:counters_correction_changelist")).content.decode()
    assert "7 views from person to robot" in ledger


def test_the_data_of_segments_is_not_read(admin_client: Client, page: Page) -> None:
    record(page)
    flush()
    segment = Segment.objects.get()
    addresses = (
        reverse("admin:counters_segment_changelist"),
        reverse("admin:counters_segment_change", args=[segment.pk]),
    )

    with CaptureQueriesContext(connection) as queries:
        pages = [admin_client.get(address).content.decode() for address in addresses]

    assert not [one["sql"] for one in queries if re.search(r"""["`]data["`]""", one["sql"])]
    assert all(f"{segment.checksum}" in shown for shown in pages[1:])

"""A counter is set by hand: at once, once, and with a row that says who, when, how much and why."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from catalog.pages.models import Content, Page
from counters.audit import differences
from counters.flush import flush
from counters.models import Adjustment, Rollup, Stale
from counters.record import record
from counters.reset import reset
from tests.counters.test_spill import Counts

pytestmark = pytest.mark.django_db
LIST = "admin:pages_text_changelist"


def views(page: Page, contents: list[Content], number: int) -> None:
    for _ in range(number):
        record(page, contents)


def command(*arguments: Any) -> str:
    out = StringIO()
    call_command("counters", "reset", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.fixture
def counted(page: Page, contents: list[Content]) -> list[Content]:
    """Each viewed five times."""
    views(page, contents, 5)
    flush()
    return contents


def test_reset_sets_the_counter_and_keeps_who_and_why(
    counted: list[Content], counts: Counts, admin_user: Any
) -> None:
    assert reset(Content, counted[0].pk, 2, " a robot ", admin_user) == -3

    assert counts() == [2, 5, 5]
    row = Adjustment.objects.get()
    assert (row.amount, row.reason, row.by) == (-3, "a robot", admin_user)
    assert (row.content_type, row.target_id) == (
        ContentType.objects.get_for_model(Content), counted[0].pk
    )  # fmt: skip
    assert not list(differences())


def test_views_that_wait_in_the_log_are_counted_after_it(
    page: Page, counted: list[Content], counts: Counts
) -> None:
    views(page, counted, 4)
    reset(Content, counted[0].pk, 0, "a robot")
    flush()

    assert counts() == [4, 9, 9]
    assert sum(Rollup.objects.filter(target_id=counted[0].pk).values_list("views", flat=True)) == 9
    assert not list(differences())


@pytest.mark.django_db(transaction=True)
def test_reset_is_seen_through_the_api_at_once(
    client: Client, page: Page, counted: list[Content]
) -> None:
    address = reverse("page-detail", args=[page.pk])
    for _ in range(2):  # the second is answered from what is prepared
        assert [one["counter"] for one in client.get(address).json()["contents"]] == [5, 5, 5]

    reset(Content, counted[1].pk, 1, "a robot")

    assert [one["counter"] for one in client.get(address).json()["contents"]] == [5, 1, 5]
    flush()
    assert [one["counter"] for one in client.get(address).json()["contents"]] == [8, 4, 8]


def test_setting_what_is_set_writes_nothing(counted: list[Content]) -> None:
    assert reset(Content, counted[0].pk, 5, "twice") == 0
    assert not Adjustment.objects.exists()
    assert not Stale.objects.exists()


def test_type_of_content_is_counted_as_content(counted: list[Content], counts: Counts) -> None:
    assert "pages.text" in command("pages.text", counted[2].pk, "--why", "a robot")
    assert counts() == [5, 5, 0]


def test_command_keeps_who_decided(counted: list[Content], admin_user: Any) -> None:
    done = command("pages.content", counted[0].pk, "--to", 3, "--why", "bots", "--who", "admin")

    assert f"pages.content {counted[0].pk}: set to 3 (-2)" in done
    assert Adjustment.objects.get().by == admin_user


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pages.content", 2**40, "--why", "x"), "There is no pages.content"),
        (("pages.nothing", 1, "--why", "x"), "nothing"),
        (("accounts.user", 1, "--why", "x"), "not countable"),
        (("pages.content", 1, "--why", " "), "needs a reason"),
        (("pages.content", 1, "--to=-1", "--why", "x"), "from 0"),
        (("pages.content", 1, "--why", "x", "--who", "nobody"), "no user nobody"),
    ],
)
def test_command_says_what_is_wrong(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        command(*arguments)


def test_admin_sets_the_counters_that_are_selected(
    admin_client: Client, counted: list[Content], counts: Counts, admin_user: Any
) -> None:
    chosen = {"action": "reset_counters", "_selected_action": [one.pk for one in counted[:2]]}

    asked = admin_client.post(reverse(LIST), chosen).content.decode()
    assert "still in the log" in asked
    assert counts() == [5, 5, 5]
    refused = admin_client.post(reverse(LIST), {**chosen, "to": 0, "why": ""})
    assert b"This field is required." in refused.content
    done = admin_client.post(reverse(LIST), {**chosen, "to": 0, "why": "bots"}, follow=True)

    assert b"2 counters were set." in done.content
    assert counts() == [0, 0, 5]
    assert set(Adjustment.objects.values_list("by", "amount", "reason")) == {
        (admin_user.pk, -5, "bots")
    }


def test_admin_sets_one_counter_from_its_own_page(
    admin_client: Client, counted: list[Content], counts: Counts
) -> None:
    own = reverse("admin:pages_text_change", args=[counted[0].pk])
    address = reverse("admin:pages_text_reset", args=[counted[0].pk])
    assert address in admin_client.get(own).content.decode()

    assert "Text 0: 5" in admin_client.get(address).content.decode()
    done = admin_client.post(address, {"to": 7, "why": "counted elsewhere"})

    assert done.headers["Location"] == own
    assert counts() == [7, 5, 5]
    assert "counted elsewhere" in admin_client.get(address).content.decode()


@pytest.mark.parametrize("missing", ["add_adjustment", "change_text"])
def test_resetting_needs_both_rights(
    client: Client, counted: list[Content], counts: Counts, missing: str
) -> None:
    editor = get_user_model().objects.create_user("editor", "e@example.com", "e", is_staff=True)
    rights = {"add_adjustment", "change_text", "view_text"} - {missing}
    editor.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(editor)
    address = reverse("admin:pages_text_reset", args=[counted[0].pk])
    own = client.get(reverse("admin:pages_text_change", args=[counted[0].pk])).content.decode()

    assert address not in own
    assert client.post(address, {"to": 0, "why": "mine"}).status_code == 403
    data = {"action": "reset_counters", "_selected_action": [counted[0].pk], "to": 0, "why": "x"}
    client.post(reverse(LIST), data)
    assert counts() == [5, 5, 5]


def test_what_is_not_there_is_404(admin_client: Client) -> None:
    assert admin_client.get(reverse("admin:pages_text_reset", args=[2**40])).status_code == 404

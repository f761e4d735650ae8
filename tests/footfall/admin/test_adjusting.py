"""A counter set by hand: noted, exact, and shown at once."""

import threading
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from catalog.pages.models import Content, Page
from footfall.admin import charted
from footfall.flush import flush
from footfall.models import Adjustment
from footfall.ops.adjust import MAX_COUNTER, InvalidAdjustment, adjust
from footfall.ops.audit.run import differences
from footfall.record import record
from tests.support.views import Counts

LIST = reverse("admin:pages_text_changelist")
ADJUST = reverse("admin:pages_text_adjust")


def viewed(page: Page, contents: list[Content], times: int) -> None:
    for _ in range(times):
        record(page, contents)
    flush()


@pytest.mark.django_db
def test_a_reset_is_noted_and_the_audit_knows_it(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    viewed(page, contents, 3)

    adjusted = adjust(Content, contents[0].pk, to=0, why="a robot")

    assert counts() == [0, 3, 3]
    assert adjusted
    assert (adjusted.amount, adjusted.reason, adjusted.by) == (-3, "a robot", None)
    assert not list(differences())


@pytest.mark.django_db
def test_views_in_the_log_are_counted_after_a_reset(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    viewed(page, contents, 3)
    record(page, contents)

    adjust(Content, contents[0].pk, to=0, why="a robot")
    flush()

    assert counts() == [1, 4, 4]
    assert not list(differences())


@pytest.mark.django_db
def test_a_reset_shows_at_once_on_a_prepared_page(
    client: Client,
    page: Page,
    contents: list[Content],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    address = reverse("page-detail", args=[page.pk])
    for _ in range(2):
        client.get(address)
    flush()
    client.get(address)

    with django_capture_on_commit_callbacks(execute=True):
        adjust(Content, contents[0].pk, to=0, why="a robot")

    shown = [content["counter"] for content in client.get(address).json()["contents"]]
    assert shown == [0, 2, 2]


@pytest.mark.django_db
def test_views_counted_elsewhere_are_added(contents: list[Content], counts: Counts) -> None:
    adjust(Content, contents[1].pk, by=1200, why="counted by the old system")

    assert counts() == [0, 1200, 0]
    assert not list(differences())


@pytest.mark.django_db
def test_what_is_so_already_is_not_noted(contents: list[Content]) -> None:
    assert adjust(Content, contents[0].pk, to=0, why="a robot") is None
    assert not Adjustment.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"to": -1, "why": "x"},
        {"by": -1, "why": "x"},
        {"to": MAX_COUNTER + 1, "why": "x"},
        {"by": 2**63 - 1, "why": "x"},
        {"to": 1, "by": 1, "why": "x"},
        {"why": "x"},
        {"to": 1, "why": " "},
    ],
)
def test_what_cannot_be_is_refused(contents: list[Content], wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidAdjustment):
        adjust(Content, contents[0].pk, **wrong)  # type: ignore[arg-type]

    assert not Adjustment.objects.exists()


@pytest.mark.django_db
def test_views_can_be_added_to_the_highest_counter(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    adjust(Content, contents[0].pk, to=MAX_COUNTER, why="a slip")
    viewed(page, contents, 2)

    assert counts() == [MAX_COUNTER + 2, 2, 2]
    assert not list(differences())


@pytest.mark.django_db(transaction=True)
def test_two_resets_and_a_flush_at_once_are_exact(page: Page, contents: list[Content]) -> None:
    viewed(page, contents, 5)
    for _ in range(5):
        record(page, contents)
    start = threading.Barrier(3)

    def alone(what: object) -> None:
        start.wait()
        try:
            what()  # type: ignore[operator]
        finally:
            connections.close_all()

    pk = contents[0].pk
    threads = [
        threading.Thread(target=alone, args=(what,))
        for what in (
            flush,
            lambda: adjust(Content, pk, to=0, why="one"),
            lambda: adjust(Content, pk, to=0, why="the other"),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush()

    assert not list(differences())
    assert Content.objects.get(pk=pk).counter in {0, 5}
    assert Content.objects.get(pk=contents[1].pk).counter == 10


@pytest.mark.django_db
def test_the_command_sets_a_counter(contents: list[Content], counts: Counts) -> None:
    get_user_model().objects.create_user("ada", "ada@example.com")
    out = StringIO()

    call_command(
        "counters",
        "adjust",
        "pages.content",
        contents[0].pk,
        "--to=7",
        "--why=old",
        "--who=ada",
        stdout=out,
    )

    assert out.getvalue() == f"pages.content {contents[0].pk}: +7. Views that wait come on top.\n"
    assert counts() == [7, 0, 0]
    assert str(Adjustment.objects.get().by) == "ada"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("pages.nothing", "1", "--to=0"), "pages.nothing is not counted; these are: "),
        (("pages.content", "987654", "--to=0"), "does not exist"),
        (("pages.content", "1", "--to=0", "--who=nobody"), "does not exist"),
        (("pages.content", "1", "--by=-9"), "."),
    ],
)
def test_the_command_says_what_is_wrong(
    contents: list[Content], arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("counters", "adjust", *arguments, "--why=x")


@pytest.mark.django_db
def test_the_admin_sets_the_counters_of_a_list(
    admin_client: Client, page: Page, contents: list[Content], counts: Counts
) -> None:
    viewed(page, contents, 3)
    chosen = [str(content.pk) for content in contents[:2]]

    asked = admin_client.post(LIST, {"action": "adjust_counters", "_selected_action": chosen})
    assert asked.status_code == 302
    form = admin_client.get(asked["Location"]).content.decode()
    assert "Text 0 (3)" in form
    assert "counted after it" in form
    answer = admin_client.post(asked["Location"], {"to": "1", "why": "a robot"}, follow=True)

    assert "2 counters were set to 1." in answer.content.decode()
    assert counts() == [1, 1, 3]
    assert {adjustment.by for adjustment in Adjustment.objects.all()} == {
        get_user_model().objects.get(username="admin")
    }
    assert LogEntry.objects.filter(change_message__contains="counter -2: a robot").count() == 2


@pytest.mark.django_db
def test_the_admin_sets_no_more_counters_than_an_address_can_name(
    admin_client: Client, contents: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charted, "MAX_SELECTED", 2)
    chosen = {"_selected_action": [contents[0].pk], "select_across": "1"}

    answer = admin_client.post(LIST, {"action": "adjust_counters", **chosen}, follow=True)

    assert "Select at most 2." in answer.content.decode()


@pytest.mark.django_db
def test_the_admin_wants_a_reason(
    admin_client: Client, contents: list[Content], counts: Counts
) -> None:
    answer = admin_client.post(f"{ADJUST}?id={contents[0].pk}", {"to": "5", "why": " "})

    assert "This field is required." in answer.content.decode()
    assert counts() == [0, 0, 0]


@pytest.mark.django_db
def test_the_admin_takes_no_counter_that_is_too_high(
    admin_client: Client, contents: list[Content], counts: Counts
) -> None:
    wrong = {"to": f"{MAX_COUNTER + 1}", "why": "a slip"}
    answer = admin_client.post(f"{ADJUST}?id={contents[0].pk}", wrong)

    assert f"less than or equal to {MAX_COUNTER}" in answer.content.decode()
    assert counts() == [0, 0, 0]


@pytest.mark.django_db
@pytest.mark.parametrize("ids", ["", "id=x", "id=99999999999999999999", "id=987654"])
def test_the_admin_says_that_nothing_was_selected(admin_client: Client, ids: str) -> None:
    assert "Nothing was selected" in admin_client.get(f"{ADJUST}?{ids}").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("permissions", "may"), [((), False), (("add_adjustment",), True)])
def test_who_may_set_counters(
    client: Client, contents: list[Content], permissions: tuple[str, ...], may: bool
) -> None:
    user = get_user_model().objects.create_user("operator", "o@example.com", is_staff=True)
    names = ("view_text", *permissions)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    link = f"{ADJUST}?id={contents[0].pk}"

    shown = client.get(reverse("admin:pages_text_change", args=[contents[0].pk]))

    assert client.get(link).status_code == (200 if may else 403)
    assert (link in shown.content.decode()) == may
    assert ("adjust_counters" in client.get(LIST).content.decode()) == may

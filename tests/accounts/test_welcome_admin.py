"""Staff say what becomes of a welcome mail of which it is unclear whether it was sent."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.emails.welcome import LONGEST_SENDING, send_due
from accounts.models import User, Welcome
from tests.accounts.mailserver import MailServer
from tests.support.people import make_user

pytestmark = pytest.mark.django_db

AGO = timezone.now() - LONGEST_SENDING - timedelta(days=30)


@pytest.fixture
def user() -> User:
    """A new one; the mail server has not answered when its welcome mail was sent."""
    user = make_user()
    Welcome.objects.create(user=user, asked_at=AGO, due_at=None, claimed_at=AGO, error="timed out")
    return user


@pytest.fixture
def staff(client: Client) -> Client:
    return sign_in(client, "view_user", "change_user", "view_welcome", "change_welcome")


def sign_in(client: Client, *permissions: str) -> Client:
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)
    return client


def state(user: User) -> str:
    return str(Welcome.objects.get(user=user))


def page(client: Client, user: User) -> str:
    return client.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()


def press(client: Client, user: User, action: str) -> int:
    address = f"/admin/accounts/user/{user.pk}/welcome/"
    assert f'action="{address}"' in page(client, user)
    return client.post(address, {"action": action}).status_code


def test_it_is_sent_again(staff: Client, user: User, mail_server: MailServer) -> None:
    assert state(user) == "perhaps sent"
    assert press(staff, user, "send_again") == 302
    assert state(user) == "waiting"
    send_due()
    assert state(user) == "sent"
    assert [mail["To"] for mail in mail_server.mails] == [user.email]
    assert "Send again" not in page(staff, user)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (
        str(user.pk),
        "Send the welcome mail again",
    )


def test_it_is_marked_as_sent(staff: Client, user: User, mail_server: MailServer) -> None:
    assert press(staff, user, "mark_as_sent") == 302
    send_due()
    assert state(user) == "sent"
    assert Welcome.objects.get().sent_at == AGO
    assert mail_server.mails == []
    assert LogEntry.objects.get().change_message == "Mark the welcome mail as sent"


def test_one_that_was_given_up_is_sent_again(staff: Client, user: User) -> None:
    Welcome.objects.update(claimed_at=None)
    assert "Mark as sent" not in page(staff, user)
    assert press(staff, user, "send_again") == 302
    assert state(user) == "waiting"


@pytest.mark.parametrize("action", ["send_again", "mark_as_sent"])
def test_what_is_sent_or_being_sent_stays(staff: Client, user: User, action: str) -> None:
    now = timezone.now()
    for fields in ({"claimed_at": now}, {"claimed_at": AGO, "sent_at": AGO}):
        Welcome.objects.update(**fields)
        before = Welcome.objects.values().get()
        staff.post(f"/admin/accounts/user/{user.pk}/welcome/", {"action": action})
        assert Welcome.objects.values().get() == before
    assert not LogEntry.objects.exists()


def test_it_takes_the_permission(client: Client, user: User) -> None:
    sign_in(client, "view_user", "change_user", "view_welcome")
    address = f"/admin/accounts/user/{user.pk}/welcome/"
    assert "Send again" not in page(client, user)
    assert client.post(address, {"action": "send_again"}).status_code == 403
    listed = {"action": "send_again", "_selected_action": str(user.pk)}
    client.post("/admin/accounts/user/", listed)
    assert state(user) == "perhaps sent"


def test_other_requests_change_nothing(staff: Client, user: User) -> None:
    address = f"/admin/accounts/user/{user.pk}/welcome/"
    assert staff.get(address).status_code == 405
    assert staff.post(address, {"action": "delete"}).status_code == 400
    assert (
        staff.post("/admin/accounts/user/123456/welcome/", {"action": "send_again"}).status_code
        == 404
    )
    assert state(user) == "perhaps sent"


def test_all_that_are_selected_are_sent_again(staff: Client, user: User) -> None:
    without = make_user()
    selected = {"action": "send_again", "_selected_action": [str(user.pk), str(without.pk)]}
    answer = staff.post("/admin/accounts/user/", selected, follow=True)
    assert "1 mail will be sent again." in answer.content.decode()
    assert state(user) == "waiting"

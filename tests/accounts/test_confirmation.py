"""ACCOUNTS_CONFIRM_EMAIL: accounts and addresses wait for the link in a mail."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import tasks
from accounts.models import Confirmation, User, Welcome
from tests.accounts.people import ADA, LOGIN, ME, PASSWORD, USERS, make_ada, sign_in

pytestmark = pytest.mark.django_db

ACTIVATION = f"{USERS}activation/"


@pytest.fixture(autouse=True)
def confirming(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks run at once: these tests are not about the broker."""
    settings.ACCOUNTS_CONFIRM_EMAIL = True
    monkeypatch.setattr(tasks.confirm, "apply_async", lambda args, retry: tasks.confirm(*args))


def sent(**change: str) -> dict[str, Any]:
    return ADA | change


def link() -> dict[str, str]:
    """Return the uid and token of the link in the last mail."""
    found = re.search(r"http://localhost:8000/confirm/(\w+)/([\w-]+)/\n", str(mail.outbox[-1].body))
    assert found
    return {"uid": found[1], "token": found[2]}


def sign_in_status(api: APIClient, name: str = "ada", password: str = PASSWORD) -> int:
    return int(api.post(LOGIN, {"username": name, "password": password}).status_code)


def test_an_account_is_there_once_its_link_was_followed(api: APIClient) -> None:
    assert api.post(USERS, ADA).status_code == 201
    assert mail.outbox[0].to == ["Ada@example.com"]
    assert sign_in_status(api) == 400

    assert api.post(ACTIVATION, link()).status_code == 204
    assert sign_in_status(api) == 200
    assert Welcome.objects.get().user == User.objects.get()
    assert api.post(ACTIVATION, link()).status_code == 400  # once


def test_the_mail_shows_no_name_that_is_a_message(api: APIClient) -> None:
    name = "WIN.a.prize.at.www.evil.example"
    assert api.post(USERS, sent(username=name)).status_code == 201
    [letter] = mail.outbox
    assert letter.body.startswith("Hello,\n")
    assert name not in str(letter.message())


def test_the_page_of_the_link_asks_first(client: Client) -> None:
    """Mail scanners follow links, too."""
    APIClient().post(USERS, ADA, format="json")
    address = "/confirm/{uid}/{token}/".format(**link())
    page = client.get(address)
    assert "Ada@example.com" in page.content.decode()
    assert "Django administration" not in page.content.decode()
    assert not User.objects.exists()

    assert "is confirmed" in client.post(address).content.decode()
    assert User.objects.get().email == "Ada@example.com"
    for answer in (client.get(address), client.post(address)):
        assert answer.status_code == 400
        assert "not valid" in answer.content.decode()


def test_an_address_that_is_taken_is_answered_like_a_new_one(api: APIClient) -> None:
    make_ada()
    answers: list[Any] = [
        api.post(USERS, sent(username=name, email=address))
        for name, address in (("new", "new@example.com"), ("twin", "ADA@example.com"))
    ]

    new, taken = (answer.json() for answer in answers)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert list(new) == list(taken) == ["id", "username", "email", "date_joined"]
    assert (new["id"], taken["id"]) == (None, None)
    assert taken["email"] == "ADA@example.com"
    assert dict(answers[0].headers).keys() == dict(answers[1].headers).keys()


def test_a_request_looks_no_address_up(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it takes as long for an address that is taken, password hash and insert included."""
    make_ada()
    monkeypatch.setattr(tasks.confirm, "apply_async", lambda args, retry: None)
    statements = []
    for name, address in (("new", "new@example.com"), ("twin", "ada@example.com")):
        with CaptureQueriesContext(connection) as captured:
            api.post(USERS, sent(username=name, email=address))
        statements.append([re.sub(r"'.*?'|\d+", "?", one["sql"]) for one in captured])

    assert statements[0] == statements[1]
    assert Confirmation.objects.count() == 2


def test_the_owner_of_the_address_is_told(api: APIClient) -> None:
    make_ada(language="ru")
    api.post(USERS, sent(username="twin", email="ADA@example.com"))

    [letter] = mail.outbox
    assert letter.to == ["Ada@example.com"]
    assert "twin" not in str(letter.body)
    assert "/confirm/" not in str(letter.body)
    assert User.objects.count() == 1


def test_the_name_beside_a_taken_address_is_taken_too(api: APIClient) -> None:
    """Otherwise a second attempt would reveal whether the address was new."""
    make_ada()
    for address in ("ada@example.com", "new@example.com"):
        name = f"name-{address[0]}"
        assert api.post(USERS, sent(username=name, email=address)).status_code == 201
        again = api.post(USERS, sent(username=name.upper(), email="other@example.com"))
        assert (again.status_code, list(again.json())) == (400, ["username"])


def test_an_account_that_is_not_confirmed_blocks_no_address(api: APIClient) -> None:
    api.post(USERS, sent(username="squatter"))
    squatting = link()
    api.post(USERS, ADA)

    assert api.post(ACTIVATION, link()).status_code == 204
    late = api.post(ACTIVATION, squatting)
    assert (late.status_code, list(late.json())) == (400, ["token"])
    assert User.objects.get().username == "ada"


def test_a_name_is_free_again_after_three_days(api: APIClient) -> None:
    api.post(USERS, ADA)
    old = link()
    Confirmation.objects.update(asked_at=timezone.now() - timedelta(days=3, seconds=1))

    assert api.post(ACTIVATION, old).status_code == 400
    assert api.post(USERS, sent(email="other@example.com")).status_code == 201
    Confirmation.objects.update(asked_at=timezone.now() - timedelta(days=3, seconds=1))
    tasks.clear_sessions()
    assert not Confirmation.objects.exists()


def test_another_address_is_there_once_its_link_was_followed(api: APIClient) -> None:
    user = make_ada()
    sign_in(api, user)
    answer = api.patch(ME, {"email": "new@example.com", "username": "countess"})
    assert (answer.status_code, answer.json()["email"]) == (200, "Ada@example.com")
    assert answer.json()["username"] == "countess"
    assert mail.outbox[0].to == ["new@example.com"]

    assert api.post(ACTIVATION, link()).status_code == 204
    assert api.get(ME).json()["email"] == "new@example.com"


def test_a_change_to_an_address_that_is_taken_tells_only_its_owner(api: APIClient) -> None:
    User.objects.create_user("bob", "bob@example.com", PASSWORD)
    sign_in(api, make_ada())
    answers = [api.patch(ME, {"email": email}) for email in ("new@example.com", "Bob@example.com")]
    assert answers[0].json() == answers[1].json()
    assert [letter.to for letter in mail.outbox] == [["new@example.com"], ["bob@example.com"]]
    assert "/confirm/" not in str(mail.outbox[1].body)


def change_password(user: User) -> None:
    user.set_password("another long one")
    user.save()


def switch_off(user: User) -> None:
    user.is_active = False
    user.save()


@pytest.mark.parametrize("change", [change_password, switch_off])
def test_a_new_password_ends_the_link_to_another_address(
    api: APIClient, change: Callable[[User], None]
) -> None:
    """It may have been requested with a stolen token."""
    user = make_ada()
    sign_in(api, user)
    api.patch(ME, {"email": "thief@example.com"})
    change(User.objects.get())
    api.credentials()
    assert api.post(ACTIVATION, link()).status_code == 400
    assert User.objects.get().email == "Ada@example.com"


@pytest.mark.parametrize("uid", ["", "x", "////", "AAAA", "Mg", "MTAwMDAwMDAwMDAwMDAwMDAwMDAw", 5])
@pytest.mark.parametrize("token", ["x", "x-y", 5, None])
def test_a_wrong_link_is_refused(api: APIClient, uid: Any, token: Any) -> None:
    assert api.post(ACTIVATION, {"uid": uid, "token": token}).status_code == 400


def test_the_admin_shows_what_waits_without_the_password(
    api: APIClient, admin_client: Client
) -> None:
    api.post(USERS, ADA)
    row = Confirmation.objects.get()
    for address in ("", f"{row.pk}/change/", "?q=ada"):
        html = admin_client.get(f"/admin/accounts/confirmation/{address}").content.decode()
        assert "Ada@example.com" in html
        assert row.password not in html


def test_a_user_whose_new_address_waits_is_deleted_in_the_admin(
    api: APIClient, admin_client: Client
) -> None:
    user = make_ada()
    sign_in(api, user)
    api.patch(ME, {"email": "new@example.com"})
    address = f"/admin/accounts/user/{user.pk}/delete/"
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert not Confirmation.objects.exists()


def test_while_no_mail_can_be_asked_for_nothing_is_kept(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(args: Any, retry: bool) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(tasks.confirm, "apply_async", refuse)
    assert api.post(USERS, ADA).status_code == 503
    assert not Confirmation.objects.exists()

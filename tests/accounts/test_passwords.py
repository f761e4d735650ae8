"""Changing and resetting a password, and what becomes invalid with the old one."""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.contrib import auth
from django.contrib.auth.hashers import make_password
from django.contrib.auth.management.commands import changepassword
from django.core import mail
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts import serializers, tasks
from accounts.models import User
from tests.accounts.people import LOGIN, ME, PASSWORD, USERS, make_ada, sign_in

pytestmark = pytest.mark.django_db

NEW = "difference engine"
SET, RESET, CONFIRM = (
    f"{USERS}{action}/" for action in ("set_password", "reset_password", "reset_password_confirm")
)
CHANGE = {"current_password": PASSWORD, "new_password": NEW}


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks run at once: these tests are not about the broker."""
    monkeypatch.setattr(tasks.reset_password, "apply_async", lambda args, retry: do_reset(*args))


def do_reset(address: str) -> None:
    tasks.reset_password(address)


def test_the_password_is_changed_and_the_token_ends(api: APIClient) -> None:
    user = make_ada()
    sign_in(api, user)

    assert api.post(SET, CHANGE).status_code == 204
    assert api.get(ME).status_code == 401
    user.refresh_from_db()
    assert user.check_password(NEW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"current_password": "wrong"}, "current_password"),
        ({"new_password": "12345"}, "new_password"),
        ({"new_password": "ada@example.com"}, "new_password"),
        ({"new_password": ""}, "new_password"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(
    api: APIClient, change: dict[str, str], field: str
) -> None:
    sign_in(api, make_ada())
    answer = api.post(SET, CHANGE | change)

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert api.get(ME).status_code == 200


def by_the_admin(user: User, admin: Client) -> None:
    form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    address = f"/admin/accounts/user/{user.pk}/password/"
    assert admin.post(address, form).status_code == 302


def taken_away_by_the_admin(user: User, admin: Client) -> None:
    form = {"password1": "", "password2": "", "usable_password": "false"}
    form["unset-password"] = "1"
    assert admin.post(f"/admin/accounts/user/{user.pk}/password/", form).status_code == 302


def by_the_command(user: User, admin: Client) -> None:
    with mock.patch.object(changepassword.Command, "_get_pass", return_value=NEW):
        call_command("changepassword", "ada", stdout=StringIO())


def by_code(user: User, admin: Client) -> None:
    user.set_password(NEW)
    user.save()


def by_a_hash(user: User, admin: Client) -> None:
    user.password = make_password(NEW)
    user.save(update_fields=["password"])


@pytest.mark.parametrize(
    "change", [by_the_admin, taken_away_by_the_admin, by_the_command, by_code, by_a_hash]
)
def test_token_and_session_end_with_the_password(
    api: APIClient, client: Client, admin_client: Client, change: Callable[[User, Client], None]
) -> None:
    user = make_ada()
    sign_in(api, user)
    client.force_login(user)

    change(user, admin_client)

    assert api.get(ME).status_code == 401
    assert client.get(ME).status_code == 401


def test_a_token_outlives_every_other_change(api: APIClient, admin_client: Client) -> None:
    user = make_ada()
    sign_in(api, user)
    user.first_name = "Augusta"
    user.save()
    user.save(update_fields=["email"])

    assert api.get(ME).status_code == 200


def test_a_stronger_hash_of_the_same_password_ends_no_token(
    api: APIClient, settings: Settings
) -> None:
    user = make_ada()
    sign_in(api, user)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]

    assert user.check_password(PASSWORD)
    user.refresh_from_db()
    assert user.password.startswith("scrypt")
    assert api.get(ME).status_code == 200


def test_who_signs_in_while_the_password_changes_gets_no_token(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_ada()
    authenticate = auth.authenticate

    def authenticate_slowly(*args: Any, **credentials: Any) -> Any:
        found = authenticate(*args, **credentials)
        by_code(user, api)
        return found

    monkeypatch.setattr(serializers, "authenticate", authenticate_slowly)

    assert api.post(LOGIN, {"username": "ada", "password": PASSWORD}).status_code == 400
    assert not Token.objects.exists()


def test_a_forgotten_password_is_set_by_the_link_of_the_mail(api: APIClient) -> None:
    user = make_ada()
    sign_in(api, user)

    assert api.post(RESET, {"email": "ADA@example.com"}).status_code == 204
    [letter] = mail.outbox
    assert letter.to == ["Ada@example.com"]
    uid, token = link_in(letter.body)
    sent = {"uid": uid, "token": token, "new_password": NEW}
    weak = api.post(CONFIRM, sent | {"new_password": "12345"})
    assert (weak.status_code, list(weak.json())) == (400, ["new_password"])
    assert api.post(CONFIRM, sent).status_code == 204

    assert api.get(ME).status_code == 401  # the old token
    api.credentials()
    assert api.post(LOGIN, {"username": "ada", "password": NEW}).status_code == 200
    assert api.post(CONFIRM, sent).status_code == 400  # once


def test_the_link_leads_to_a_page_that_sets_the_password(client: Client) -> None:
    user = make_ada()
    tasks.reset_password("ada@example.com")
    uid, token = link_in(mail.outbox[0].body)

    page = client.get(f"/password/{uid}/{token}/", follow=True)
    assert "new_password1" in page.content.decode()
    address = page.redirect_chain[-1][0]
    done = client.post(address, {"new_password1": NEW, "new_password2": NEW}, follow=True)

    assert "Your new password is set." in done.content.decode()
    user.refresh_from_db()
    assert user.check_password(NEW)


@pytest.mark.parametrize("address", ["nobody@example.com", "off@example.com", "no@example.com"])
def test_the_answer_does_not_tell_whose_an_address_is(
    api: APIClient, address: str, django_assert_num_queries: Callable[[int], Any]
) -> None:
    make_ada()
    User.objects.create_user("off", "off@example.com", PASSWORD, is_active=False)
    User.objects.create_user("passwordless", "no@example.com")

    answers = [api.post(RESET, {"email": email}) for email in ("ada@example.com", address)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    assert len(mail.outbox) == 1


def test_a_request_for_a_reset_looks_no_user_up(
    api: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    """So it takes as long for the address of a user as for any other."""
    asked: list[tuple[str]] = []
    monkeypatch.setattr(tasks.reset_password, "apply_async", lambda args, retry: asked.append(args))
    with django_assert_num_queries(0):
        assert api.post(RESET, {"email": "ada@example.com"}).status_code == 204
    assert asked == [("ada@example.com",)]


def test_a_reset_that_cannot_be_asked_for_is_a_503(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(args: Any, retry: bool) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(tasks.reset_password, "apply_async", refuse)
    answer = api.post(RESET, {"email": "ada@example.com"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("uid", ["", "x", "////", "AAAA", "Mg", "MTAwMDAwMDAwMDAwMDAwMDAwMDAw", 5])
@pytest.mark.parametrize("token", ["x", "x-y", 5, None])
def test_a_wrong_link_is_refused(api: APIClient, uid: Any, token: Any) -> None:
    answer = api.post(CONFIRM, {"uid": uid, "token": token, "new_password": NEW})

    assert answer.status_code == 400
    assert set(answer.json()) <= {"uid", "token"}


def test_a_wrong_token_is_answered_like_a_wrong_user(api: APIClient) -> None:
    make_ada()
    tasks.reset_password("ada@example.com")
    uid, token = link_in(mail.outbox[0].body)
    sent = {"uid": uid, "token": token, "new_password": NEW}

    answers = [api.post(CONFIRM, sent | wrong).json() for wrong in ({"token": "x"}, {"uid": "MA"})]

    assert answers[0] == answers[1]


def link_in(text: str | Any) -> tuple[str, str]:
    found = re.search(r"http://localhost:8000/password/(\w+)/([\w-]+)/\n", str(text))
    assert found
    return found[1], found[2]

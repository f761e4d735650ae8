"""POST /api/v1/auth/token/login/ and /logout/."""

from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import User
from tests.accounts.people import LOGIN, LOGOUT, ME, PASSWORD, make_ada, sign_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["ada", "ADA", "\uff21da", "Ada@example.com", "aDA@EXAMPLE.com"])
@pytest.mark.parametrize("field", ["username", "email"])
def test_name_or_address_signs_in(api: APIClient, field: str, name: str) -> None:
    user = make_ada()

    answer = api.post(LOGIN, {field: name, "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json() == {"auth_token": Token.objects.get(user=user).key}
    api.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['auth_token']}")
    assert api.get(ME).json()["username"] == "ada"
    user.refresh_from_db()
    assert user.last_login


@pytest.mark.parametrize(
    "sent",
    [
        {"username": "ada", "password": "wrong"},
        {"username": "ada", "password": f" {PASSWORD}"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "nobody@example.com", "password": PASSWORD},
        {"username": "off", "password": PASSWORD},
        {"username": "passwordless", "password": PASSWORD},
    ],
)
def test_every_refusal_is_the_same(
    api: APIClient, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same text, and the same work: one password is hashed, even if there is no such user."""
    make_ada()
    User.objects.create_user("off", "off@example.com", PASSWORD, is_active=False)
    User.objects.create_user("passwordless", "passwordless@example.com")
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    answer = api.post(LOGIN, sent)

    assert answer.status_code == 400
    assert answer.json() == {"non_field_errors": ["Unable to log in with provided credentials."]}
    assert len(hashed) == 1


@pytest.mark.parametrize(
    ("sent", "missing"),
    [
        ({}, "password"),
        ({"password": PASSWORD}, "username"),
        ({"username": "ada"}, "password"),
        ({"username": "a\x00b", "password": PASSWORD}, "username"),
        ({"username": {"a": 1}, "password": PASSWORD}, "username"),
    ],
)
def test_what_is_missing_is_named(api: APIClient, sent: dict[str, Any], missing: str) -> None:
    answer = api.post(LOGIN, sent)

    assert answer.status_code == 400
    assert missing in answer.json()


def test_a_name_that_looks_like_an_address_stays_its_owners(api: APIClient) -> None:
    """Such usernames are refused now. An older one still logs in."""
    older = User.objects.create_user("root@example.com", "older@example.com", PASSWORD)
    User.objects.create_user("mallory", "root@example.com", "another secret")

    answer = api.post(LOGIN, {"username": "root@example.com", "password": PASSWORD})

    assert Token.objects.get(key=answer.json()["auth_token"]).user == older


def test_a_token_ends_with_the_logout(api: APIClient) -> None:
    sign_in(api, make_ada())

    assert api.post(LOGOUT).status_code == 204
    assert api.get(ME).status_code == 401
    assert api.post(LOGOUT).status_code == 401


def test_a_token_of_an_account_that_is_switched_off_is_none(api: APIClient) -> None:
    user = make_ada()
    sign_in(api, user)
    user.is_active = False
    user.save()

    assert api.get(ME).status_code == 401


def test_a_stale_token_is_no_obstacle_to_signing_in(api: APIClient) -> None:
    make_ada()
    api.credentials(HTTP_AUTHORIZATION="Token of-yesterday")

    assert api.post(LOGIN, {"username": "ada", "password": PASSWORD}).status_code == 200


def test_a_session_is_as_good_as_a_token(client: Client) -> None:
    make_ada()
    assert client.login(username="ADA@example.com", password=PASSWORD)

    assert client.get(ME).json()["username"] == "ada"


def test_the_admin_takes_the_address_too(client: Client, admin_user: User) -> None:
    form = {"username": admin_user.email.upper(), "password": "password", "next": "/admin/"}
    answer = client.post("/admin/login/", form)

    assert (answer.status_code, answer.headers.get("Location")) == (302, "/admin/")

"""HTTP Basic authentication, which is off by default."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.basic import BasicAuthentication
from accounts.models import User
from accounts.views import AccountView
from tests.accounts.people import addresses
from tests.support.people import make_user

ME = "/api/v1/auth/users/me/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccountView, "authentication_classes", [BasicAuthentication])


def ask(client: Client, name: str, password: str = "secret") -> int:  # noqa: S107
    given = b64encode(f"{name}:{password}".encode()).decode()
    return client.get(ME, headers={"Authorization": f"Basic {given}"}).status_code


def test_it_is_off(client: Client) -> None:
    assert ask(client, make_user().username) == 401


@pytest.mark.usefixtures("on")
def test_it_takes_username_or_address(client: Client) -> None:
    user = make_user()
    assert ask(client, user.username) == ask(client, user.email) == 200
    assert ask(client, user.username, "wrong") == 401
    User.objects.update(is_active=False)
    assert ask(client, user.username) == 401


@pytest.mark.usefixtures("on")
def test_wrong_passwords_are_counted_and_right_ones_are_not(limit: Callable[..., None]) -> None:
    limit(login="100/min", login_account="2/min")
    client, user = Client(REMOTE_ADDR=next(addresses)), make_user()
    tries = ["secret", "secret", "secret", "wrong", "wrong", "secret"]
    assert [ask(client, user.username, one) for one in tries] == [200, 200, 200, 401, 401, 429]
    assert ask(client, make_user().username) == 200


@pytest.mark.usefixtures("on")
def test_a_client_that_guesses_many_accounts_is_told_to_wait(limit: Callable[..., None]) -> None:
    limit(login="2/min")
    client, user = Client(REMOTE_ADDR=next(addresses)), make_user()
    tries = [ask(client, name, "wrong") for name in "abc"]
    assert tries == [401, 401, 429]
    assert ask(client, user.username) == 429
    assert ask(Client(REMOTE_ADDR=next(addresses)), user.username) == 200

"""Limits of the e-mails to one address and from one client."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import tasks
from accounts.models import User, Welcome
from tests.accounts.people import ADA, ME, PASSWORD, USERS, addresses, make_ada, sign_in

pytestmark = pytest.mark.django_db

Limit = Callable[..., None]


def register(email: str, remote: str = "") -> int:
    api = APIClient(REMOTE_ADDR=remote or next(addresses))
    sent = ADA | {"username": f"u{uuid4().hex}", "email": email}
    return int(api.post(USERS, sent, format="json").status_code)


def test_registering_and_deleting_again_sends_no_more_welcomes(
    api: APIClient, limit: Limit
) -> None:
    limit(mail_address="2/day")
    owed = []
    for spelling in ("ada@bücher.example", "ADA+1@xn--bcher-kva.example", "ada+2@bücher.example"):
        assert register(spelling) == 201
        owed.append(Welcome.objects.count())
        user = User.objects.get()
        sign_in(api, user)
        assert api.delete(ME, {"current_password": PASSWORD}).status_code == 204
    assert owed == [1, 1, 0]


def test_a_client_sends_so_many_welcomes(limit: Limit) -> None:
    limit(mail="2/hour")
    here = next(addresses)
    for number in range(3):
        assert register(f"user{number}@example.com", here) == 201
    assert Welcome.objects.count() == 2
    assert register("another@example.com") == 201
    assert Welcome.objects.count() == 3


def test_where_addresses_are_confirmed_the_client_is_told_to_wait(
    api: APIClient, limit: Limit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the address is taken or not."""
    settings.ACCOUNTS_CONFIRM_EMAIL = True
    monkeypatch.setattr(tasks.confirm, "apply_async", lambda args, retry: None)
    limit(mail_address="1/day")
    sign_in(api, make_ada())
    for address in ("ada@example.com", "new@example.com"):
        assert [register(address) for _ in range(2)] == [201, 429]
        assert api.patch(ME, {"email": address}).status_code == 429

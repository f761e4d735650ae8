"""How often one client may try, and how often one account may be tried."""

from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache.backends.redis import RedisCache
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts import tasks
from accounts.models import User
from api import throttling
from eventlog import CircuitBreaker
from tests.accounts.people import ADA, LOGIN, ME, PASSWORD, USERS, make_ada, sign_in

pytestmark = pytest.mark.django_db

WRONG = "wrong"

Rates = Callable[..., None]
addresses = (
    f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in count(uuid4().int % 2**23)
)


@pytest.fixture
def api(api: APIClient) -> APIClient:
    """A client at an address of its own."""
    api.defaults["REMOTE_ADDR"] = next(addresses)
    return api


def move(api: APIClient) -> None:
    api.defaults["REMOTE_ADDR"] = next(addresses)


def try_to_sign_in(api: APIClient, username: str, password: str = WRONG) -> int:
    answer: Response = api.post(LOGIN, {"username": username, "password": password})
    return answer.status_code


def test_registering_is_limited_by_client(api: APIClient, rates: Rates) -> None:
    rates(register="2/min")
    for name in ("ada", "bob"):
        sent = ADA | {"username": name, "email": f"{name}@example.com"}
        assert api.post(USERS, sent).status_code == 201

    refused = api.post(USERS, ADA)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "throttled" in refused.json()["detail"]
    move(api)
    assert api.post(USERS, {}).status_code == 400


def test_signing_in_is_limited_by_client(api: APIClient, rates: Rates) -> None:
    rates(login="2/min")

    assert [try_to_sign_in(api, name) for name in ("a", "b", "c")] == [400, 400, 429]
    move(api)
    assert try_to_sign_in(api, "d") == 400


def test_one_account_is_not_guessed_from_many_addresses(api: APIClient, rates: Rates) -> None:
    rates(login_account="2/min")
    name = f"Ada{uuid4().hex}"
    answers = []
    for spelling in (name, name.upper(), f" {name} "):
        move(api)
        answers.append(try_to_sign_in(api, spelling))

    assert answers == [400, 400, 429]
    assert try_to_sign_in(api, "another") == 400


def test_a_capital_of_another_language_is_no_other_account(api: APIClient, rates: Rates) -> None:
    rates(login_account="2/min")
    name = f"i{uuid4().hex}"
    tries = [try_to_sign_in(api, spelling) for spelling in (name, f"İ{name[1:]}", name)]
    assert tries == [400, 400, 429]


def test_whoever_knows_the_password_is_not_limited(api: APIClient, rates: Rates) -> None:
    rates(login_account="2/min")
    name = f"ada{uuid4().hex}"
    User.objects.create_user(name, "ada@example.com", PASSWORD)

    for _ in range(4):
        assert try_to_sign_in(api, name, PASSWORD) == 200


def test_the_password_is_not_guessed_where_else_it_is_asked_for(
    api: APIClient, rates: Rates
) -> None:
    rates(login="2/min")
    sign_in(api, make_ada())
    wrong = {"current_password": "wrong", "new_password": "difference engine"}

    assert api.delete(ME, wrong).status_code == 400
    assert api.post(f"{USERS}set_password/", wrong).status_code == 400
    assert api.delete(ME, wrong).status_code == 429
    assert api.get(ME).status_code == 200


def test_one_mailbox_is_not_flooded_with_links(
    api: APIClient, rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates(reset="3/min", reset_account="2/hour")
    monkeypatch.setattr(tasks.reset_password, "apply_async", lambda args, retry: None)
    address = f"{uuid4().hex}@example.com"
    reset = f"{USERS}reset_password/"

    answers = [api.post(reset, {"email": address}).status_code for _ in range(4)]

    assert answers == [204, 204, 429, 429]


@pytest.mark.parametrize("body", ["[]", "{", '{"username": {}, "email": []}', '{"username": 5}'])
def test_a_body_that_names_no_account_is_no_error(api: APIClient, rates: Rates, body: str) -> None:
    rates(login_account="1000/min")

    assert api.post(LOGIN, body, content_type="application/json").status_code == 400


def test_a_cache_that_is_away_locks_nobody_out_and_keeps_nobody_waiting(
    api: APIClient, rates: Rates, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process counts alone meanwhile, and asks once whether the cache is back."""
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {**settings.CACHES, "default": away}
    monkeypatch.setattr(throttling, "breaker", CircuitBreaker(reset_after=60))
    asked: list[str] = []
    get = RedisCache.get

    def count_and_get(self: RedisCache, key: str, *arguments: Any) -> Any:
        asked.append(key)
        return get(self, key, *arguments)

    monkeypatch.setattr(RedisCache, "get", count_and_get)
    rates(login="2/min")

    assert [try_to_sign_in(api, name) for name in ("a", "b", "c")] == [400, 400, 429]
    assert len(asked) == 1


def test_an_address_that_a_client_made_up_is_not_believed(
    api: APIClient, rates: Rates, settings: Settings
) -> None:
    """Of `X-Forwarded-For`, what trusted proxies have appended counts; the rest is hearsay."""
    rates(login="2/min")
    for proxies, appended in ((0, ""), (1, f", {next(addresses)}")):
        monkeyed = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
        settings.REST_FRAMEWORK = monkeyed
        answers = [
            api.post(
                LOGIN,
                {"username": uuid4().hex, "password": WRONG},
                headers={"X-Forwarded-For": f"192.0.2.{number}{appended}"},
            ).status_code
            for number in range(3)
        ]
        assert answers == [400, 400, 429]

"""Throttles per client and per account."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import Settings
from redis import Connection
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts import tasks
from accounts.models import User
from api import rate_limits
from footfall.common.breaker import CircuitBreaker
from tests.accounts.people import ADA, LOGIN, ME, PASSWORD, USERS, addresses, make_ada, sign_in

pytestmark = pytest.mark.django_db

WRONG = "wrong"

Limit = Callable[..., None]


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


def test_registering_is_limited_by_client(api: APIClient, limit: Limit) -> None:
    limit(register="2/min")
    for name in ("ada", "bob"):
        sent = ADA | {"username": name, "email": f"{name}@example.com"}
        assert api.post(USERS, sent).status_code == 201

    refused = api.post(USERS, ADA)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "throttled" in refused.json()["detail"]
    move(api)
    assert api.post(USERS, {}).status_code == 400


def test_signing_in_is_limited_by_client(api: APIClient, limit: Limit) -> None:
    limit(login="2/min")

    assert [try_to_sign_in(api, name) for name in ("a", "b", "c")] == [400, 400, 429]
    move(api)
    assert try_to_sign_in(api, "d") == 400


def test_one_account_is_not_guessed_from_many_addresses(api: APIClient, limit: Limit) -> None:
    limit(login_account="2/min")
    name = f"Ada{uuid4().hex}"
    answers = []
    for spelling in (name, name.upper(), f" {name} "):
        move(api)
        answers.append(try_to_sign_in(api, spelling))

    assert answers == [400, 400, 429]
    assert try_to_sign_in(api, "another") == 400


def test_a_capital_of_another_language_is_no_other_account(api: APIClient, limit: Limit) -> None:
    limit(login_account="2/min")
    name = f"i{uuid4().hex}"
    tries = [try_to_sign_in(api, spelling) for spelling in (name, f"İ{name[1:]}", name)]
    assert tries == [400, 400, 429]


@pytest.mark.django_db(transaction=True)
def test_of_many_tries_at_once_no_more_than_the_limit_are_made(
    limit: Limit, settings: Settings
) -> None:
    limit(login_account="10/min")
    user = make_ada()

    def guess(address: str) -> int:
        try:
            name = user.username if hash(address) % 2 else user.email
            return try_to_sign_in(APIClient(REMOTE_ADDR=address), name)
        finally:
            connection.close()

    with ThreadPoolExecutor(settings.UPLOADS_AT_ONCE) as pool:  # bodies at a time
        answers = Counter(pool.map(guess, list(islice(addresses, 40))))

    assert answers == {400: 10, 429: 30}


@pytest.mark.parametrize(
    "other",
    [{"username": "ADA@example.com"}, {"email": "ada@EXAMPLE.com"}, {"username": " Ada "}],
)
def test_name_and_address_are_one_account(
    api: APIClient, limit: Limit, other: dict[str, str]
) -> None:
    make_ada()
    limit(login_account="2/min")
    answers = [try_to_sign_in(api, "ada") for _ in range(2)]
    answers.append(api.post(LOGIN, other | {"password": WRONG}).status_code)
    assert answers == [400, 400, 429]


def test_every_form_of_an_address_is_one_account(api: APIClient, limit: Limit) -> None:
    User.objects.create_user("ada", "ada@bücher.example", PASSWORD)
    limit(login_account="2/min")
    forms = ("ada@bücher.example", "ada@xn--bcher-kva.example", "ada@b\u00adücher.example")
    assert [try_to_sign_in(api, form) for form in forms][:2] == [400, 400]
    assert try_to_sign_in(api, "ada@BÜCHER.example") == 429


@pytest.mark.parametrize("number", [0, 5, 1.5])
def test_a_number_for_a_name_is_counted_as_what_is_signed_in_with(
    api: APIClient, limit: Limit, number: float
) -> None:
    User.objects.create_user(str(number), "zero@example.com", PASSWORD)
    limit(login_account="2/min")
    decoys = ({"username": number, "email": f"{uuid4().hex}@example.com"} for _ in range(3))
    answers = [api.post(LOGIN, decoy | {"password": WRONG}).status_code for decoy in decoys]
    assert answers == [400, 400, 429]


def test_signing_in_ends_no_count_but_ones_own(api: APIClient, limit: Limit) -> None:
    make_ada()
    User.objects.create_user("bob", "bob@example.com", PASSWORD)
    limit(login_account="2/min")

    assert [try_to_sign_in(api, "ada") for _ in range(2)] == [400, 400]
    mine = {"username": "bob", "email": "ada@example.com", "password": PASSWORD}
    assert api.post(LOGIN, mine).status_code == 200
    assert try_to_sign_in(api, "ada@example.com") == 429


def test_looking_an_account_up_is_one_query_whether_it_is_there_or_not(
    limit: Limit, django_assert_num_queries: Callable[[int], Any]
) -> None:
    make_ada()
    for known in ("ada", "ada@example.com", "nobody", "nobody@example.com"):
        with django_assert_num_queries(1):
            User.objects.find_for_login(known)


def test_a_client_is_the_whole_network_that_it_has_of_ipv6(api: APIClient, limit: Limit) -> None:
    limit(login="2/min")
    answers = []
    network = f"2001:db8:{uuid4().int % 65536:x}:7"
    for end in ("::1", ":ffff::2", ":1:2:3:4"):
        api.defaults["REMOTE_ADDR"] = network + end
        answers.append(try_to_sign_in(api, uuid4().hex))
    assert answers == [400, 400, 429]
    api.defaults["REMOTE_ADDR"] = f"{network[:-1]}8::1"
    assert try_to_sign_in(api, "d") == 400


def test_an_address_of_ipv4_is_the_same_client_on_a_socket_of_ipv6(
    api: APIClient, limit: Limit
) -> None:
    limit(login="1/min")
    address = next(addresses)
    api.defaults["REMOTE_ADDR"] = address
    assert try_to_sign_in(api, "a") == 400
    api.defaults["REMOTE_ADDR"] = f"::ffff:{address}"
    assert try_to_sign_in(api, "b") == 429


def test_the_right_password_is_not_limited(api: APIClient, limit: Limit) -> None:
    limit(login_account="2/min")
    name = f"ada{uuid4().hex}"
    User.objects.create_user(name, "ada@example.com", PASSWORD)

    for _ in range(4):
        assert try_to_sign_in(api, name, PASSWORD) == 200


def test_the_password_is_not_guessed_where_else_it_is_asked_for(
    api: APIClient, limit: Limit
) -> None:
    limit(login="2/min")
    sign_in(api, make_ada())
    wrong = {"current_password": "wrong", "new_password": "difference engine"}

    assert api.delete(ME, wrong).status_code == 400
    assert api.post(f"{USERS}set_password/", wrong).status_code == 400
    assert api.delete(ME, wrong).status_code == 429
    assert api.get(ME).status_code == 200


def test_a_stolen_token_does_not_guess_the_password_of_its_account(
    api: APIClient, limit: Limit
) -> None:
    """All views that ask for the password count attempts per account together."""
    limit(login_account="3/min")
    sign_in(api, make_ada())
    wrong = {"current_password": "wrong", "new_password": "difference engine"}
    assert api.delete(ME, wrong).status_code == 400
    assert api.post(f"{USERS}set_password/", wrong).status_code == 400
    assert try_to_sign_in(APIClient(), "ada") == 400

    assert api.delete(ME, wrong).status_code == 429
    assert api.post(f"{USERS}set_password/", wrong).status_code == 429
    assert try_to_sign_in(APIClient(), "ada@example.com") == 429


def test_probing_for_names_by_changing_ones_own_is_registering(
    api: APIClient, limit: Limit
) -> None:
    """Attempts are counted per client, whatever its account."""
    limit(register="2/min")
    make_ada()
    for name in ("bob", "eve"):
        sign_in(api, User.objects.create_user(name, f"{name}@example.com", PASSWORD))
        assert api.patch(ME, {"email": "ada@example.com"}).status_code == 400
    assert api.patch(ME, {"email": "ada@example.com"}).status_code == 429
    assert api.put(ME, {"username": "a", "email": "b@example.com"}).status_code == 429
    assert api.get(ME).status_code == 200
    api.credentials()
    assert api.post(USERS, ADA).status_code == 429


def test_one_mailbox_is_not_flooded_with_links(
    api: APIClient, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(reset="3/min", reset_account="2/hour")
    monkeypatch.setattr(tasks.reset_password, "apply_async", lambda args, retry: None)
    address = f"{uuid4().hex}@example.com"
    reset = f"{USERS}reset_password/"

    answers = [api.post(reset, {"email": address}).status_code for _ in range(4)]

    assert answers == [204, 204, 429, 429]


@pytest.mark.parametrize("body", ["[]", "{", '{"username": {}, "email": []}', '{"username": 5}'])
def test_a_body_that_names_no_account_is_no_error(api: APIClient, limit: Limit, body: str) -> None:
    limit(login_account="1000/min")

    assert api.post(LOGIN, body, content_type="application/json").status_code == 400


def test_without_the_cache_no_client_is_locked_out_or_waits(
    api: APIClient, limit: Limit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process counts alone meanwhile, and tries the cache once."""
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {**settings.CACHES, "default": away}
    monkeypatch.setattr(rate_limits, "breaker", CircuitBreaker(reset_after=60))
    asked: list[int] = []
    connect = Connection.connect

    def count_and_connect(self: Connection) -> None:
        if self.port == 1:
            asked.append(self.port)
        connect(self)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Connection, "connect", count_and_connect)
    limit(login="2/min")

    assert [try_to_sign_in(api, name) for name in ("a", "b", "c")] == [400, 400, 429]
    assert len(asked) == 1


def test_an_address_that_a_client_made_up_is_not_believed(
    api: APIClient, limit: Limit, settings: Settings
) -> None:
    """Of `X-Forwarded-For`, only what trusted proxies have appended counts."""
    limit(login="2/min")
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

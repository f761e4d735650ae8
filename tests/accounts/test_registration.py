"""POST /api/v1/auth/users/."""

from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts import serializers
from accounts.models import User, Welcome
from accounts.registration import register
from tests.accounts.people import ADA, PASSWORD, USERS, make_ada, sign_in
from tests.support.concurrency import run_at_once

pytestmark = pytest.mark.django_db


def test_registration_makes_an_account(api: APIClient) -> None:
    answer = api.post(USERS, ADA)

    user = User.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": user.pk,
        "username": "ada",
        "email": "Ada@example.com",
        "date_joined": user.date_joined.isoformat().replace("+00:00", "Z"),
    }
    assert user.check_password(PASSWORD)
    assert not user.is_staff
    assert not user.is_superuser


@pytest.mark.parametrize(
    ("accepted", "language"), [("ru", "ru"), ("de", "en"), ("de, ru;q=0.5", "ru")]
)
def test_registration_owes_a_welcome_in_the_language_of_the_request(
    api: APIClient, accepted: str, language: str
) -> None:
    api.post(USERS, ADA, headers={"Accept-Language": accepted})

    welcome = Welcome.objects.select_related("user").get()
    assert welcome.user.language == language
    assert welcome.due_at
    assert not welcome.sent_at


def test_what_the_server_sets_cannot_be_sent(api: APIClient) -> None:
    more = {"id": 7777, "date_joined": "2001-01-01T00:00:00Z", "is_staff": True, "language": "xx"}
    answer = api.post(USERS, ADA | more)

    user = User.objects.get()
    assert answer.status_code == 201
    assert (user.pk != 7777, user.date_joined.year != 2001, user.is_staff) == (True, True, False)
    assert user.language == "en"


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("username", "", "may not be blank"),
        ("username", "a b", "letters, digits"),
        ("username", "ada@example.com", "letters, digits"),
        ("username", "x" * 151, "150"),
        ("username", "ﷺ" * 20, "150"),  # 360 letters in the form in which it would be kept
        ("username", "a\x00b", "Null"),
        ("username", ["ada"], "string"),
        ("email", "", "may not be blank"),
        ("email", "ada", "valid email"),
        ("email", "a" * 250 + "@example.com", "254"),
        ("password", "", "may not be blank"),
        ("password", "12345678901", "entirely numeric"),
        ("password", "password1", "too common"),
        ("password", "short", "too short"),
        ("password", "ada@example", "too similar"),
    ],
)
def test_what_is_wrong_is_said_by_its_field(
    api: APIClient, field: str, value: Any, error: str
) -> None:
    answer = api.post(USERS, ADA | {field: value})

    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert error in " ".join(answer.json()[field])
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ADA)
def test_every_field_is_required(api: APIClient, field: str) -> None:
    answer = api.post(USERS, {key: value for key, value in ADA.items() if key != field})

    assert answer.status_code == 400
    assert answer.json() == {field: ["This field is required."]}


@pytest.mark.parametrize("body", ["[]", '"ada"', "{", "null", "7"])
def test_what_is_no_object_is_refused(api: APIClient, body: str) -> None:
    assert api.post(USERS, body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("username", ["ada", "ADA", "\uff21da"])
def test_a_name_is_given_once_in_whatever_case_and_form(api: APIClient, username: str) -> None:
    make_ada()
    answer = api.post(USERS, ADA | {"username": username, "email": "twin@example.com"})

    assert answer.status_code == 400
    assert answer.json() == {"username": ["A user with that username already exists."]}


def test_an_address_is_given_once_in_whatever_case(api: APIClient) -> None:
    make_ada()
    answer = api.post(USERS, ADA | {"username": "twin", "email": "aDA@EXAMPLE.com"})

    assert answer.status_code == 400
    assert answer.json() == {"email": ["A user with that email address already exists."]}


@pytest.mark.parametrize("wrong", [{"password": "short"}, {"email": "ada"}, {"username": "a b"}])
def test_what_is_taken_is_not_told_beside_another_mistake(
    api: APIClient, wrong: dict[str, str]
) -> None:
    make_ada()
    answer = api.post(USERS, ADA | wrong)

    assert answer.status_code == 400
    assert list(answer.json()) == list(wrong)


def test_names_of_every_alphabet_are_kept_in_one_form(api: APIClient) -> None:
    answer = api.post(USERS, ADA | {"username": "И\u0306жик"})  # a letter in two parts

    assert answer.json()["username"] == "Йжик"


def test_an_address_is_measured_as_it_is_kept(api: APIClient) -> None:
    address = f"{'a' * 200}@ü{'b' * 44}.com"
    assert len(address) < 254  # in ASCII its domain is longer

    answer = api.post(USERS, ADA | {"email": address})

    assert answer.status_code == 400
    assert "254" in answer.json()["email"][0]


def test_spaces_belong_to_the_password(api: APIClient) -> None:
    api.post(USERS, ADA | {"password": f" {PASSWORD} "})

    assert User.objects.get().check_password(f" {PASSWORD} ")


def test_a_stale_token_is_no_obstacle(api: APIClient) -> None:
    api.credentials(HTTP_AUTHORIZATION="Token of-yesterday")

    assert api.post(USERS, ADA).status_code == 201


def test_an_answer_is_in_the_language_of_the_client(api: APIClient) -> None:
    make_ada()
    answer = api.post(USERS, {**ADA, "password": ""}, headers={"Accept-Language": "ru"})

    assert answer.json()["password"] == ["Это поле не может быть пустым."]


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ({}, {"username": "twin"}, "email"),
        ({}, {"email": "twin@example.com", "username": "ADA"}, "username"),
        ({}, {}, "email"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_it(
    monkeypatch: pytest.MonkeyPatch, first: dict[str, str], second: dict[str, str], taken: str
) -> None:
    # On SQLite the second waits until the first has committed.
    both = Barrier(2 if connection.features.has_select_for_update else 1)

    def register_together(**fields: Any) -> User:
        both.wait(10)  # both requests have found the name and the address free
        return register(**fields)

    monkeypatch.setattr(serializers, "register", register_together)

    answers = run_at_once(
        partial(APIClient().post, USERS, ADA | change) for change in (first, second)
    )

    assert sorted(answer.status_code for answer in answers) == [201, 400]
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert taken in refused.data
    assert User.objects.count() == Welcome.objects.count() == 1


def test_users_are_not_listed(api: APIClient, admin_user: User) -> None:
    """Not even to staff, who have the admin; nor is a user shown by its id."""
    for user in (None, make_ada(), admin_user):
        if user:
            sign_in(api, user)
        assert api.get(USERS).status_code == 405
        assert api.get(f"{USERS}{admin_user.pk}/").status_code == 404

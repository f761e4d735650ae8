"""Validation of usernames and addresses, for the API, the admin and commands."""

from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client
from rest_framework.test import APIClient

from accounts.emails.addresses import mailbox, normalize
from accounts.models import User
from accounts.usernames import skeleton, validate_username
from tests.accounts.people import ADA, LOGIN, ME, PASSWORD, USERS, make_ada, sign_in

pytestmark = pytest.mark.django_db

MIXED = "аdmin"  # its first letter is Cyrillic
ALIKE = [("admin", "admın"), ("coco", "сосо"), ("ABE", "АВЕ"), ("abe", "аве"), ("Ёлка", "ёлка")]
ADDRESSES = {
    "user@bücher.example": "user@xn--bcher-kva.example",
    "user@BÜCHER.example": "user@xn--bcher-kva.example",
    "user@XN--BCHER-KVA.Example": "user@xn--bcher-kva.example",
    "user@faß.example": "user@xn--fa-hia.example",
    "User@Example.COM": "User@example.com",
    "user@ab--cd.example": "user@ab--cd.example",
    "admin@localhost": "admin@localhost",
}
NO_ADDRESSES = [
    "İstanbul@example.com",
    "jörg@example.com",
    "ſ@example.com",
    "user@xn--zzzzzz.example",
    "user@-ü.example",
    "user@☕.example",
    "user@ü.ü\u202e.example",
]


@pytest.mark.parametrize(
    "name",
    ["ada", "Ada.Lovelace-1815", "Ёлка", "Ωμέγα", "山田タロー", "abc山田", "김철수", "سلمى"],
)
def test_names_of_one_alphabet_are_taken(name: str) -> None:
    validate_username(name)


@pytest.mark.parametrize(
    "name",
    [
        MIXED,
        "adminа",
        "αdmin",
        "Ёlka",
        "ада山田",
        "a b",
        "a\u00a0b",
        "a\u200bb",
        "a\u202eb",
        "a\u2066b",
        "a\u00adb",
        "a\u3164b",
        "\u3164",
        "가\uffa0",
        "a\ufe0f",
        "adaʼ",
        "",
        "a@b",
    ],
)
def test_names_that_deceive_are_refused_by_the_api(api: APIClient, name: str) -> None:
    answer = api.post(USERS, ADA | {"username": name})
    assert (answer.status_code, list(answer.json())) == (400, ["username"])


@pytest.mark.parametrize(("first", "second"), ALIKE)
def test_a_name_that_looks_like_another_is_taken(api: APIClient, first: str, second: str) -> None:
    User.objects.create_user(first, "first@example.com", PASSWORD)
    answer = api.post(USERS, ADA | {"username": second})
    assert answer.status_code == 400
    assert answer.json() == {"username": ["A user with that username already exists."]}
    with pytest.raises(IntegrityError):
        User.objects.create_user(second, "second@example.com", PASSWORD)


@pytest.mark.parametrize(("first", "second"), [("modem", "modern"), ("user0", "usero"), ("е", "ё")])
def test_names_that_differ_are_two(first: str, second: str) -> None:
    assert skeleton(first) != skeleton(second)


def test_a_name_that_changes_is_compared_again(api: APIClient) -> None:
    User.objects.create_user("coco", "coco@example.com", PASSWORD)
    user = make_ada()
    sign_in(api, user)
    assert api.patch(ME, {"username": "сосо"}).status_code == 400
    assert api.patch(ME, {"username": "бобр"}).status_code == 200
    with pytest.raises(IntegrityError):
        User.objects.create_user("БОБР", "second@example.com", PASSWORD)


@pytest.mark.parametrize("change", [{"username": MIXED}, {"username": "сосо"}])
def test_the_admin_has_the_same_rules(admin_client: Client, change: dict[str, str]) -> None:
    User.objects.create_user("coco", "coco@example.com", PASSWORD)
    form = {"username": "ada", "email": "ada@example.com", "usable_password": "false"} | change
    answer = admin_client.post("/admin/accounts/user/add/", form)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


def test_the_admin_keeps_addresses_in_their_form(admin_client: Client) -> None:
    form = {"username": "ada", "email": "ada@bücher.example", "usable_password": "false"}
    assert admin_client.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(username="ada").email == "ada@xn--bcher-kva.example"
    twin = form | {"username": "twin", "email": "ADA@xn--bcher-kva.example"}
    answer = admin_client.post("/admin/accounts/user/add/", twin)
    assert "A user with that email address already exists." in answer.content.decode()
    for address in NO_ADDRESSES:
        answer = admin_client.post("/admin/accounts/user/add/", twin | {"email": address})
        assert answer.status_code == 200


def test_staff_edit_an_account_that_is_older_than_the_rules(admin_client: Client) -> None:
    user = make_ada()
    User.objects.filter(pk=user.pk).update(
        username=MIXED, email="İstanbul@example.com", skeleton=None
    )
    form = {"username": MIXED, "email": "İstanbul@example.com", "language": "ru"}
    address = f"/admin/accounts/user/{user.pk}/change/"
    assert admin_client.post(address, form).status_code == 302
    user.refresh_from_db()
    assert (user.language, user.is_active) == ("ru", False)


@pytest.mark.parametrize("variable", [{"username": MIXED}, {"email": "jörg@example.com"}])
@pytest.mark.parametrize("command", ["createsuperuser", "firstadmin"])
def test_commands_have_the_same_rules(
    monkeypatch: pytest.MonkeyPatch, command: str, variable: dict[str, str]
) -> None:
    fields = {"username": "root", "email": "root@example.com", "password": PASSWORD} | variable
    for name, value in fields.items():
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name.upper()}", value)
    options: dict[str, Any] = {"interactive": False} if command == "createsuperuser" else {}
    with pytest.raises(CommandError):
        call_command(command, stdout=StringIO(), **options)
    assert not User.objects.exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_has_one_form(api: APIClient, address: str) -> None:
    answer = api.post(USERS, ADA | {"email": address})
    assert (answer.status_code, answer.json()["email"]) == (201, ADDRESSES[address])
    for spelling in ADDRESSES:
        if ADDRESSES[spelling].lower() == ADDRESSES[address].lower():
            twin = api.post(USERS, ADA | {"username": "twin", "email": spelling})
            assert list(twin.json()) == ["email"]
            known = {"email": spelling, "password": PASSWORD}
            assert api.post(LOGIN, known).status_code == 200


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_an_address_without_a_form_is_refused(api: APIClient, address: str) -> None:
    answer = api.post(USERS, ADA | {"email": address})
    assert (answer.status_code, list(answer.json())) == (400, ["email"])


def test_of_two_forms_that_were_registered_before_each_signs_in_with_its_own() -> None:
    unicode = User.objects.create_user("one", "one@example.com", PASSWORD)
    ascii_form = User.objects.create_user("two", "user@xn--bcher-kva.example", PASSWORD)
    User.objects.filter(pk=unicode.pk).update(email="user@bücher.example")

    assert User.objects.find_for_login("user@bücher.example") == unicode
    assert User.objects.find_for_login("USER@xn--bcher-kva.example") == ascii_form


@pytest.mark.parametrize("known", ["", "a\0b", "\ud800", "x" * 300, "@", "a@", "@b", "a@\u00ad"])
def test_what_is_no_name_finds_no_account(known: str) -> None:
    assert User.objects.find_for_login(known) is None


def test_addresses_of_one_mailbox_are_counted_as_one() -> None:
    spellings = ("ada@bücher.example", "ADA+1@xn--bcher-kva.example", "ada+x+y@BÜCHER.example")
    assert len({mailbox(address) for address in spellings}) == 1
    with pytest.raises(ValidationError):
        normalize("jörg@example.com")
    assert mailbox("jörg@example.com") == mailbox("JÖRG@example.com")

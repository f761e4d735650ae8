"""GET, PUT, PATCH and DELETE /api/v1/auth/users/me/."""

from typing import Any

import pytest
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import User
from accounts.serializers import AccountSerializer
from tests.accounts.people import ME, PASSWORD, make_ada, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(api: APIClient) -> User:
    """A user, whose token the client sends."""
    user = make_ada()
    sign_in(api, user)
    return user


def test_me_is_my_account_and_no_more(api: APIClient, ada: User) -> None:
    answer = api.get(ME)

    assert answer.status_code == 200
    assert answer.json() == {
        "id": ada.pk,
        "username": "ada",
        "email": "Ada@example.com",
        "date_joined": ada.date_joined.isoformat().replace("+00:00", "Z"),
    }
    assert api.head(ME).status_code == 200
    assert api.options(ME).status_code == 200


def test_name_and_address_can_be_changed(api: APIClient, ada: User) -> None:
    changed = {"username": "countess", "email": "countess@example.com"}

    assert api.put(ME, changed).status_code == 200
    assert api.get(ME).json() | changed == api.get(ME).json()
    assert api.patch(ME, {"email": "ada@Example.org"}).json()["email"] == "ada@example.org"
    assert api.patch(ME, {}).status_code == 200
    assert api.put(ME, {"username": "ada"}).json() == {"email": ["This field is required."]}


def test_what_the_server_sets_stays(api: APIClient, ada: User) -> None:
    sent = {"id": 7777, "date_joined": "2001-01-01T00:00:00Z", "password": "x", "is_staff": True}
    before = User.objects.values().get()

    assert api.patch(ME, sent).status_code == 200
    assert User.objects.values().get() == before


@pytest.mark.parametrize(
    "change", [{"email": "BOB@example.com"}, {"username": "Bob"}, {"username": "bob@example.com"}]
)
def test_name_and_address_of_another_user_are_refused(
    api: APIClient, ada: User, change: dict[str, str]
) -> None:
    User.objects.create_user("bob", "bob@example.com", PASSWORD)

    answer = api.patch(ME, change)

    assert answer.status_code == 400
    assert list(answer.json()) == list(change)


@pytest.mark.parametrize(
    "wrong",
    [{"username": "bob", "email": "no address"}, {"username": "a b", "email": "bob@example.com"}],
)
def test_what_is_taken_is_not_told_beside_another_mistake(
    api: APIClient, ada: User, wrong: dict[str, str]
) -> None:
    User.objects.create_user("bob", "bob@example.com", PASSWORD)
    for answer in (api.patch(ME, wrong), api.put(ME, wrong)):
        assert answer.status_code == 400
        assert "already exists" not in str(answer.json())
        assert len(answer.json()) == 1


def test_ones_own_can_be_spelled_otherwise(api: APIClient, ada: User) -> None:
    changed = {"username": "Ada", "email": "ADA@example.com"}

    assert api.put(ME, changed).status_code == 200
    assert User.objects.filter(**changed).exists()


def test_what_was_taken_meanwhile_is_said(
    api: APIClient, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is free when it is validated, and taken when it is saved."""
    update = AccountSerializer.update

    def update_late(serializer: AccountSerializer, instance: User, data: dict[str, Any]) -> User:
        User.objects.create_user("bob", "bob@example.com", PASSWORD)
        return update(serializer, instance, data)

    monkeypatch.setattr(AccountSerializer, "update", update_late)
    answer = api.patch(ME, {"email": "BOB@example.com"})

    assert answer.status_code == 400
    assert answer.json() == {"email": ["A user with that email address already exists."]}
    assert api.get(ME).json()["email"] == "Ada@example.com"


def test_a_change_leaves_alone_what_changed_meanwhile(api: APIClient, ada: User) -> None:
    """A request that began before the password was changed must not write the old one back."""
    stale = User.objects.get(pk=ada.pk)
    ada.set_password("a new secret of hers")
    ada.save()
    serializer = AccountSerializer(stale, {"username": "countess"}, partial=True)
    serializer.is_valid(raise_exception=True)
    serializer.save()

    assert User.objects.get(username="countess").check_password("a new secret of hers")


def test_deleting_the_account_asks_for_the_password(api: APIClient, ada: User) -> None:
    assert api.delete(ME).json() == {"current_password": ["This field is required."]}
    wrong = api.delete(ME, {"current_password": "wrong"})
    assert (wrong.status_code, list(wrong.json())) == (400, ["current_password"])
    assert User.objects.exists()

    assert api.delete(ME, {"current_password": PASSWORD}).status_code == 204
    assert not User.objects.exists()
    assert not Token.objects.exists()
    assert api.get(ME).status_code == 401

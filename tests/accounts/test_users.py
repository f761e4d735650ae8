"""The user model and its admin."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db


def test_user_knows_when_they_joined() -> None:
    user = User.objects.create_user("ada", "ada@example.com", "secret")
    assert user.date_joined is not None
    assert not user.is_staff


def test_email_is_unique_in_whatever_case() -> None:
    User.objects.create_user("ada", "ada@example.com", "secret")
    twin = User(username="twin", email="ADA@Example.com", password="secret")
    with pytest.raises(ValidationError, match="email address already exists"):
        twin.full_clean()
    with pytest.raises(IntegrityError):
        twin.save()


def test_email_is_required() -> None:
    with pytest.raises(ValidationError, match="email"):
        User(username="ada", password="secret").full_clean()


@pytest.mark.parametrize("address", ["", "add/", "{admin}/change/", "{admin}/password/"])
def test_admin_opens(admin_client: Client, admin_user: User, address: str) -> None:
    response = admin_client.get(f"/admin/accounts/user/{address.format(admin=admin_user.pk)}")
    assert response.status_code == 200


def test_admin_makes_a_user(admin_client: Client) -> None:
    form = {
        "username": "ada",
        "email": "ada@example.com",
        "usable_password": "true",
        "password1": "analytical engine",
        "password2": "analytical engine",
    }
    assert admin_client.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(username="ada").email == "ada@example.com"

    answer = admin_client.post("/admin/accounts/user/add/", form | {"username": "twin"})
    assert "A user with that email address already exists." in answer.content.decode()

"""The user model and its admin."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.authtoken.models import Token

from accounts.models import User, Welcome
from accounts.registration import register

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


def test_admin_shows_how_users_stand(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for name in ("ada", "bob", "eve"):
        Token.objects.create(user=register(name, f"{name}@example.com", "secret"))
    Welcome.objects.filter(user__username="bob").update(sent_at=timezone.now(), due_at=None)

    with django_assert_max_num_queries(12):  # however many users there are
        html = admin_client.get("/admin/accounts/user/").content.decode()

    assert (html.count("waiting"), html.count(">sent<")) == (2, 1)
    assert "Token since" in html
    assert "Date joined" in html


def test_admin_shows_the_welcome_and_changes_nothing_about_it(admin_client: Client) -> None:
    user = register("ada", "ada@example.com", "secret")
    joined = user.date_joined
    address = f"/admin/accounts/user/{user.pk}/change/"
    html = admin_client.get(address).content.decode()
    assert "Welcome mail" in html
    assert 'name="date_joined' not in html

    form = {
        "username": "ada",
        "email": "ada@example.org",
        "is_active": "on",
        "language": "ru",
        "welcome-TOTAL_FORMS": "1",
        "welcome-INITIAL_FORMS": "1",
        "welcome-0-user": user.pk,
    }
    assert admin_client.post(address, form).status_code == 302
    user.refresh_from_db()
    assert (user.email, user.language, user.date_joined) == ("ada@example.org", "ru", joined)
    assert str(user.welcome) == "waiting"


def test_admin_ends_tokens(admin_client: Client) -> None:
    users = [
        User.objects.create_user(name, f"{name}@example.com", "secret") for name in ("ada", "bob")
    ]
    for user in users:
        Token.objects.create(user=user)
    form = {"action": "end_tokens", "_selected_action": users[0].pk}

    answer = admin_client.post("/admin/accounts/user/", form, follow=True)

    assert "1 token was ended." in answer.content.decode()
    assert Token.objects.get().user == users[1]


def test_admin_deletes_a_user_with_all_that_is_theirs(admin_client: Client) -> None:
    user = register("ada", "ada@example.com", "secret")
    Token.objects.create(user=user)

    address = f"/admin/accounts/user/{user.pk}/delete/"
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()


def test_admin_refuses_an_address_as_username(admin_client: Client) -> None:
    form = {"username": "ada@example.com", "email": "x@example.com", "usable_password": "false"}
    answer = admin_client.post("/admin/accounts/user/add/", form)

    assert "letters, digits" in answer.content.decode()
    assert not User.objects.filter(username="ada@example.com").exists()


def test_username_is_unique_in_whatever_case() -> None:
    User.objects.create_user("ada", "ada@example.com", "secret")
    with pytest.raises(IntegrityError):
        User.objects.create_user("ADA", "twin@example.com", "secret")

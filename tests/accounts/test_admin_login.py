"""The admin's login is throttled like the API's."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from tests.accounts.people import LOGIN, addresses

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/login/"
RIGHT, WRONG = "a long enough one", "a wrong one"
Limit = Callable[..., None]


@pytest.fixture
def admin() -> User:
    name = f"admin{uuid4().hex}"  # for which no attempts are counted yet
    return User.objects.create_superuser(name, f"{name}@example.com", RIGHT)


def at_an_address() -> Client:
    return Client(REMOTE_ADDR=next(addresses))


def try_to_sign_in(client: Client, name: str, password: str = WRONG) -> int:
    return client.post(ADDRESS, {"username": name, "password": password}).status_code


def test_the_right_password_logs_in(admin: User, limit: Limit) -> None:
    limit(login="5/min", login_account="2/min")
    client = at_an_address()
    answer = client.post(f"{ADDRESS}?next=/admin/", {"username": admin.username, "password": RIGHT})
    assert answer.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_client_that_guesses_is_told_to_wait(admin: User, limit: Limit) -> None:
    limit(login="2/min")
    client = at_an_address()
    assert [try_to_sign_in(client, name) for name in "ab"] == [200, 200]
    answer = client.post(ADDRESS, {"username": admin.username, "password": RIGHT})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert "Too many login attempts" in answer.content.decode()
    assert client.get(ADDRESS).status_code == 200
    assert try_to_sign_in(at_an_address(), admin.username, RIGHT) == 302


def test_one_account_is_not_guessed_from_many_addresses(admin: User, limit: Limit) -> None:
    limit(login_account="2/min")
    spellings = (admin.username, f" {admin.username.upper()}", admin.username)
    tries = [try_to_sign_in(at_an_address(), name) for name in spellings]
    assert tries == [200, 200, 429]
    assert try_to_sign_in(at_an_address(), uuid4().hex) == 200


def test_a_file_beside_the_name_is_no_other_account(admin: User, limit: Limit) -> None:
    limit(login_account="2/min")
    tries = []
    for number in range(3):
        decoy = SimpleUploadedFile(f"decoy{number}", b"x")
        form = {"username": [admin.username, decoy], "password": WRONG}
        tries.append(at_an_address().post(ADDRESS, form).status_code)
    assert tries == [200, 200, 429]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_body_that_is_no_form_logs_no_user_in(content_type: str, limit: Limit) -> None:
    limit(login_account="2/min")
    answer = at_an_address().post(ADDRESS, "{}", content_type)
    assert answer.status_code == 200
    assert "errornote" in answer.content.decode()


def test_tries_at_the_api_and_in_the_admin_are_one(admin: User, limit: Limit) -> None:
    limit(login_account="2/min")
    body = {"username": admin.username, "password": WRONG}
    for _ in range(2):
        assert at_an_address().post(LOGIN, body, "application/json").status_code == 400
    assert try_to_sign_in(at_an_address(), admin.username) == 429


def test_signing_in_ends_the_count_of_the_account(admin: User, limit: Limit) -> None:
    limit(login_account="2/min")
    for _ in range(2):
        assert try_to_sign_in(at_an_address(), admin.username) == 200
        assert try_to_sign_in(at_an_address(), admin.username, RIGHT) == 302


CHANGE = "/admin/password_change/"


def change_password(client: Client, old: str, new: str = "another long one") -> int:
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(CHANGE, form).status_code


def test_the_password_is_not_guessed_with_a_stolen_session(admin: User, limit: Limit) -> None:
    limit(login_account="2/min")
    client = at_an_address()
    client.force_login(admin)
    assert [change_password(client, WRONG) for _ in range(3)] == [200, 200, 429]
    assert change_password(client, RIGHT) == 429
    assert client.get(CHANGE).status_code == 200
    assert try_to_sign_in(at_an_address(), admin.email) == 429


def test_the_password_is_changed_in_the_admin(admin: User, limit: Limit) -> None:
    limit(login="9/min", login_account="2/min")
    client = at_an_address()
    client.force_login(admin)
    assert [change_password(client, old) for old in (WRONG, RIGHT)] == [200, 302]
    admin.refresh_from_db()
    assert admin.check_password("another long one")
    assert try_to_sign_in(at_an_address(), admin.username) == 200


def test_the_page_that_changes_the_password_is_for_staff(limit: Limit) -> None:
    user = User.objects.create_user("ada", "ada@example.com", RIGHT)
    client = at_an_address()
    for _ in range(2):
        for method in (client.get, client.post):
            answer = method(CHANGE, {"old_password": WRONG})
            assert answer.headers["Location"].startswith("/admin/login/")
        client.force_login(user)


def test_a_forged_address_is_the_same_client(admin: User, limit: Limit) -> None:
    """No proxy is trusted unless the settings say so: any client can send the header."""
    limit(login="2/min")
    client = at_an_address()
    answers = [
        client.post(
            ADDRESS,
            {"username": f"user{number}", "password": WRONG},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        ).status_code
        for number in range(3)
    ]
    assert answers == [200, 200, 429]


def test_a_form_from_elsewhere_is_refused(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert try_to_sign_in(client, admin.username, RIGHT) == 403

"""Permissions of the accounts API: anonymous, user, staff x every method."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.accounts.people import LOGIN, LOGOUT, ME, USERS, make_ada, sign_in

METHODS = ("get", "post", "put", "patch", "delete")

# What an empty body is answered with, by the methods above. 400: one may, but something is missing.
TABLE = {
    #                                   anonymous                  user and staff
    USERS:                             ((405, 400, 405, 405, 405), (405, 400, 405, 405, 405)),
    ME:                                ((401, 401, 401, 401, 401), (200, 405, 400, 200, 400)),
    f"{USERS}activation/":             ((405, 400, 405, 405, 405), (405, 400, 405, 405, 405)),
    f"{USERS}set_password/":           ((401, 401, 401, 401, 401), (405, 400, 405, 405, 405)),
    f"{USERS}reset_password/":         ((405, 400, 405, 405, 405), (405, 400, 405, 405, 405)),
    f"{USERS}reset_password_confirm/": ((405, 400, 405, 405, 405), (405, 400, 405, 405, 405)),
    LOGIN:                             ((405, 400, 405, 405, 405), (405, 400, 405, 405, 405)),
    LOGOUT:                            ((401, 401, 401, 401, 401), (405, 204, 405, 405, 405)),
    f"{USERS}1/":                      ((404, 404, 404, 404, 404), (404, 404, 404, 404, 404)),
    f"{USERS}set_username/":           ((404, 404, 404, 404, 404), (404, 404, 404, 404, 404)),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["anonymous", "user", "staff"])
@pytest.mark.parametrize("address", TABLE)
def test_who_may_do_what(api: APIClient, address: str, who: str) -> None:
    other = User.objects.create_user("other", "other@example.com", "secret")
    user = None if who == "anonymous" else make_ada(is_staff=who == "staff")

    answers = []
    for method in METHODS:
        if user:
            sign_in(api, user)  # again: the logout ends it
        answers.append(getattr(api, method)(address, {}).status_code)

    assert answers == list(TABLE[address][who != "anonymous"])
    other.refresh_from_db()  # another user is unchanged
    assert other.check_password("secret")


@pytest.mark.django_db
@pytest.mark.parametrize("address", TABLE)
def test_asking_what_there_is_breaks_nothing(api: APIClient, address: str) -> None:
    sign_in(api, make_ada())

    assert api.options(address).status_code in (200, 404)
    assert api.head(address).status_code in (200, 404, 405)

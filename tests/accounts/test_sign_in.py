"""Signing in and out in a browser, for every user."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.accounts.people import addresses
from tests.support.people import make_user

ADDRESS = "/session/login/"

pytestmark = pytest.mark.django_db


def test_one_comes_back_to_where_one_was(client: Client) -> None:
    user = make_user()
    data = {"username": user.email, "password": "secret", "next": "/api/v1/books/"}
    assert client.post(ADDRESS, data).headers["Location"] == "/api/v1/books/"
    assert user.username in client.get("/files/", headers={"Accept": "text/html"}).content.decode()
    assert client.post("/session/logout/").headers["Location"] == "/"
    assert client.get("/api/v1/auth/users/me/").status_code == 401


def test_nobody_is_sent_to_another_site(client: Client) -> None:
    user = make_user()
    data = {"username": user.username, "password": "secret", "next": "https://example.com/"}
    assert client.post(ADDRESS, data).headers["Location"] == "/"


def test_a_link_does_not_sign_out(client: Client) -> None:
    client.force_login(make_user())
    assert client.get("/session/logout/").status_code == 405
    assert client.get("/api/v1/auth/users/me/").status_code == 200


def test_a_client_that_guesses_is_told_to_wait(limit: Callable[..., None]) -> None:
    limit(login="2/min")
    client, user = Client(REMOTE_ADDR=next(addresses)), make_user()
    for name in ("a", "b"):
        assert client.post(ADDRESS, {"username": name, "password": "x"}).status_code == 200
    data = {"username": user.username, "password": "secret"}
    assert client.post(ADDRESS, data).status_code == 429

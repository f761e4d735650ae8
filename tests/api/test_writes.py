"""Writes without a throttle of their own are counted together, per client."""

from uuid import uuid4

import pytest
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import User
from api.throttling import Throttle
from tests.support.books import fields
from tests.support.films import make_film

pytestmark = pytest.mark.django_db

API = "/api/v1"


@pytest.fixture(autouse=True)
def two_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Throttle.THROTTLE_RATES, "write", "2/min")
    monkeypatch.setattr(Throttle, "cache_format", f"{uuid4().hex}_%(scope)s_%(ident)s")


def someone() -> APIClient:
    name = f"u{uuid4().hex}"
    user = User.objects.create_user(name, f"{name}@example.com", "secret")
    client = APIClient(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    client.default_format = "json"
    return client


def test_writes_of_every_kind_are_counted_together() -> None:
    client, film = someone(), make_film()
    comments = f"{API}/films/{film.pk}/comments/"
    assert client.post(comments, {"text": "Fine."}).status_code == 201
    assert client.post(f"{API}/books/", fields()).status_code == 201
    for method, path, body in (
        ("post", comments, {"text": "Fine."}),
        ("post", f"{API}/comments/", {"film": film.pk, "text": "Fine."}),
        ("post", f"{API}/books/", fields()),
        ("post", f"{API}/categories/", {"title": "Comedies"}),
        ("post", f"{API}/films/", {"title": "A film", "category": film.category_id}),
        ("patch", f"{API}/films/{film.pk}/", {"title": "Another"}),
        ("delete", f"{API}/comments/{film.comments.get().pk}/", None),
        ("delete", f"{API}/files/1/", None),
    ):
        answer = getattr(client, method)(path, body)
        assert answer.status_code == 429, path
        assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert client.get(comments).status_code == 200
    assert someone().post(comments, {"text": "Fine."}).status_code == 201


def test_reading_is_not_counted() -> None:
    client = someone()
    for _ in range(4):
        assert client.get(f"{API}/books/").status_code == 200
        assert client.options(f"{API}/books/").status_code == 200

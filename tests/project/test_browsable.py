"""The browsable API: the same answers and permissions as JSON, as pages with forms."""

import pytest
from django.test import Client

from tests.project.permissions import ROWS, ask
from tests.support.books import fields, make_book
from tests.support.people import make_user

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_worker", "no_throttles")]


@pytest.mark.parametrize("who", ["anonymous", "owner"])
def test_the_answers_are_those_of_json(who: str) -> None:
    for method, path in ROWS:
        answered = ask(method, path, who, accept=BROWSER["Accept"])
        # DRF answers a deletion with a page, so with 200.
        assert answered == {204: 200}.get(ROWS[method, path][who], ROWS[method, path][who])


def test_forms_are_for_those_who_may_use_them(client: Client) -> None:
    book = make_book()
    addresses = ("/api/v1/books/", f"/api/v1/books/{book.pk}/")
    for address in addresses:
        assert "<form action=" not in client.get(address, headers=BROWSER).content.decode()
    client.force_login(make_user())
    for address in addresses:
        page = client.get(address, headers=BROWSER).content.decode()
        assert 'name="isbn"' in page
        assert "csrfmiddlewaretoken" in page
    answer = client.post("/api/v1/books/", fields(), headers=BROWSER)
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_what_is_wrong_stands_beside_the_field(client: Client) -> None:
    client.force_login(make_user())
    answer = client.post("/api/v1/books/", fields() | {"title": ""}, headers=BROWSER)
    assert answer.status_code == 400
    assert 'class="form-group has-error' in answer.content.decode()


def test_a_form_needs_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user())
    assert client.post("/api/v1/books/", fields(), headers=BROWSER).status_code == 403


def test_who_is_signed_in_is_seen_where_no_token_is_looked_at(client: Client) -> None:
    user = make_user()
    assert "/session/login/?next=/api/v1/pages/" in _pages(client)
    client.force_login(user)
    assert user.username in _pages(client)


def _pages(client: Client) -> str:
    return client.get("/api/v1/pages/", headers=BROWSER).content.decode()


def test_nothing_in_it_is_inline(client: Client) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    for address in ("/api/v1/", "/api/v1/films/", "/api/v1/pages/"):
        page = client.get(address, headers=BROWSER).content.decode()
        for inline in ("<style", " style=", " onclick="):
            assert inline not in page

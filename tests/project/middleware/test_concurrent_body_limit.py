"""Bodies are complete before a view runs, and in UTF-8; expensive ones are refused."""

import encodings
import itertools
import json
import time
from io import BytesIO
from typing import Any

import psycopg2
import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.template.response import SimpleTemplateResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from rest_framework.test import APIClient

from api.encodings import UTF8Request
from catalog.books.filters import BookFilter
from catalog.books.models import Book
from project.middleware.concurrent_body_limit import API_MAX_BYTES
from tests.project.permissions import ROWS, body_for, made_for
from tests.support.books import make_book
from tests.support.films import make_category
from tests.support.people import client_of, make_user
from tests.uploads.sending import END, MULTIPART, UPLOAD, part

pytestmark = pytest.mark.usefixtures("no_worker", "no_throttles")

LOGIN = "/api/v1/auth/token/login/"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
# Some take quadratic time, some are no texts, some are no encodings at all.
REFUSED = (
    "punycode", "idna", "undefined", "zlib", "base64", "rot13", "unicode_escape", "utf-7", "utf-16",
    "iso-8859-1", "windows-1251", "x" * 1000,
)  # fmt: skip
READ = ("utf-8", "UTF-8", '"utf-8"', "utf8", "us-ascii", "US-ASCII")


class Slow(BytesIO):
    """A body that notes on each read whether a transaction was open."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.states: list[bool] = []

    def read(self, size: int | None = -1) -> bytes:
        self.states.append(connection.in_atomic_block)
        return super().read(size)


def ask(method: str, path: str, **environ: str) -> Any:
    """Return the response to a request in the form in which granian passes it on."""
    made = RequestFactory()._base_environ(  # type: ignore[attr-defined]
        REQUEST_METHOD=method, PATH_INFO=path, **environ
    )
    return WSGIHandler().get_response(UTF8Request(made))


def send(client: Any, method: str, address: str, body: bytes, kind: str) -> Slow:
    slow = Slow(body)
    client.generic(method, address, body, content_type=kind, **{"wsgi.input": slow})
    return slow


@pytest.mark.django_db(transaction=True)
def test_no_body_of_the_api_is_waited_for_in_a_transaction() -> None:
    owner = make_user(is_staff=True, is_superuser=True)
    for method, path in ROWS:
        if method == "GET" or path.endswith("/logout/"):
            continue
        address = path.partition("{")[0]
        if "{" in path:
            address += f"{made_for(path, owner)}{path.partition('}')[2]}"
        body, kind = json.dumps(body_for(path, owner), default=str).encode(), JSON
        if path == UPLOAD:
            body, kind = part(b"Hello") + END, MULTIPART
        states = send(client_of(owner), method, address, body, kind).states
        assert states, (method, path)
        assert not any(states), (method, path)
        owner = make_user(is_staff=True, is_superuser=True)


@pytest.mark.django_db(transaction=True)
def test_no_form_of_the_admin_is_waited_for_in_a_transaction(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After its view; to render all of these pages takes seconds.
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")
    monkeypatch.setattr(AdminSite, "each_context", lambda *_: {})
    client.force_login(make_user(is_staff=True, is_superuser=True))
    for model in admin.site._registry:
        for pattern in admin.site.get_model_admin(model).get_urls():
            if pattern.name is None:  # the old address of a form
                continue
            arguments = dict.fromkeys(pattern.pattern.converters, 1)
            address = reverse(f"admin:{pattern.name}", kwargs=arguments)
            kinds = {MULTIPART: part(b"x", name="", field="title") + END}
            if pattern.name.endswith("_add"):  # its view has a transaction
                kinds[FORM] = b"title=x"
            for kind, body in kinds.items():
                states = send(client, "POST", address, body, kind).states
                assert states, (address, kind)
                assert not any(states), (address, kind)


@pytest.mark.django_db
def test_a_body_that_ends_too_early_changes_nothing() -> None:
    """Otherwise a form would be stored as far as it was received."""
    book = make_book(title="Whole")
    client: Any = client_of(make_user())
    cut = {"CONTENT_LENGTH": "20", "wsgi.input": Slow(b"title=Cut")}
    answer = client.generic("PATCH", f"/api/v1/books/{book.pk}/", b" ", content_type=FORM, **cut)
    book.refresh_from_db()
    assert (answer.status_code, book.title) == (400, "Whole")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_refused_anyway_waits_for_no_lock() -> None:
    user = make_user()
    book, category = make_book(), make_category(owner=user)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
    other = psycopg2.connect(**{
        name: value
        for name, value in connection.get_connection_params().items()
        if name in ("host", "port", "user", "dbname", "password")
    })  # fmt: skip
    try:
        other.cursor().execute("SELECT * FROM books_book FOR UPDATE")
        other.cursor().execute("SELECT * FROM films_category FOR UPDATE")
        other.cursor().execute("SELECT * FROM django_content_type FOR UPDATE")
        client, stranger = client_of(user), client_of(make_user())
        answers = [
            client.patch(f"/api/v1/books/{book.pk}/", {"year": "x"}).status_code,
            client.generic("PATCH", f"/api/v1/books/{book.pk}/", "{", JSON).status_code,
            client.patch("/api/v1/books/0/", {"year": 1}).status_code,
            client.patch(f"/api/v1/categories/{category.pk}/", {"title": ""}).status_code,
            client.post("/api/v1/categories/", {"parent": 0}).status_code,
            stranger.patch(f"/api/v1/categories/{category.pk}/", {"title": "x"}).status_code,
            stranger.delete(f"/api/v1/categories/{category.pk}/").status_code,
        ]
    finally:
        other.close()
        connection.close()
    assert answers == [400, 400, 404, 400, 400, 403, 403]


def refused(answer: Any) -> bool:
    return (answer.status_code, answer.json()) == (415, {"detail": "Only UTF-8 text is supported."})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (LOGIN, JSON), (LOGIN, FORM), (LOGIN, MULTIPART), ("/admin/login/", FORM),
        ("/admin/login/", MULTIPART), (UPLOAD, MULTIPART), ("/upload/", MULTIPART),
        ("/files/1/delete/", FORM), ("/api/v1/nowhere/", JSON),
    ],
)  # fmt: skip
def test_other_encodings_are_refused_before_anything_is_decoded(
    client: Client, address: str, kind: str
) -> None:
    for charset, name in itertools.product(REFUSED, ("charset=", "charset*=utf-8''")):
        answer = client.generic("POST", address, b"a" * 1000, f"{kind}; {name}{charset}")
        assert refused(answer), charset


@pytest.mark.django_db
@pytest.mark.parametrize("charset", READ)
def test_utf_8_and_what_is_part_of_it_are_read(charset: str) -> None:
    body = json.dumps({"username": "nobody", "password": "wrong"}).encode()
    answer = Client().generic("POST", LOGIN, body, f"{JSON}; charset={charset}")
    assert answer.status_code == 400
    assert "non_field_errors" in answer.json()


@pytest.mark.django_db
@pytest.mark.parametrize("address", [UPLOAD, "/upload/", LOGIN, "/api/v1/auth/users/"])
@pytest.mark.parametrize("charset", ["punycode", "utf-7", "x" * 500])
def test_a_part_of_a_form_in_another_encoding_is_refused(address: str, charset: str) -> None:
    name = f"file\"; filename*={charset}''abc; x=\""
    answer = Client().generic("POST", address, part(b"x", field=name) + END, MULTIPART)
    assert refused(answer)


@pytest.mark.django_db
def test_a_form_of_the_admin_in_another_encoding_is_refused() -> None:
    body = part(b"x", field="a\"; filename*=punycode''abc; x=\"") + END
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32  # else the token in the body is not looked for
    assert refused(client.generic("POST", "/admin/login/", body, MULTIPART))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "charset", [*REFUSED, "utf-8\0", "x*=punycode''9", "x; y*" + "9" * 5000 + "*=a"]
)
def test_a_read_is_answered_whatever_its_encoding_is_called(charset: str) -> None:
    kind = f"text/plain; charset={charset}"
    asked = {"QUERY_STRING": "search=%41", "CONTENT_TYPE": kind}
    assert ask("GET", "/api/v1/pages/", **asked).status_code == 200


@pytest.mark.django_db
def test_a_name_of_an_encoding_is_not_kept() -> None:
    """Python caches every name that was looked up, known or not."""
    for number, header in enumerate(("CONTENT_TYPE", "CONTENT_TYPE", "HTTP_ACCEPT", "HTTP_ACCEPT")):
        name = "charset=" if number % 2 else "a*="
        asked = {header: f"{JSON}; {name}heard-of-{number}''b", "CONTENT_LENGTH": "0"}
        assert ask("GET", "/api/v1/pages/", **asked).status_code < 500
    known: dict[str, object] = encodings._cache
    assert not [name for name in known if "heard" in name]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [f"{JSON}; {'a;' * 3000}", f'{JSON}; a="{";" * 6000}'])
def test_a_type_with_thousands_of_parameters_is_refused(kind: str) -> None:
    assert refused(Client().generic("POST", LOGIN, b"{}", kind))


@pytest.mark.django_db
@pytest.mark.parametrize("address", [UPLOAD, LOGIN, "/admin/login/"])
def test_a_part_with_hundreds_of_parameters_is_refused(address: str) -> None:
    body = part(b"x", field='a"' + ";" * 800 + 'b="') + END
    answer = Client().generic("POST", address, body, MULTIPART)
    assert answer.status_code == 400


@pytest.mark.django_db
def test_an_upload_in_a_thousand_parts_is_refused() -> None:
    answer = Client().generic("POST", UPLOAD, part(b"x", field="a") * 500 + END, MULTIPART)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Send one file at a time."})


@pytest.mark.django_db
@pytest.mark.parametrize("size", [API_MAX_BYTES + 1, 3 * 1024**2])
def test_a_body_for_the_api_has_a_limit_of_its_own(size: int) -> None:
    answer = Client().generic("POST", LOGIN, b"[" * size, JSON)
    assert answer.status_code == 413
    assert answer.json() == {"detail": "The body is too large."}


@pytest.mark.django_db
@pytest.mark.parametrize(("megabytes", "status"), [(1, 200), (3, 400)])
def test_a_form_has_a_limit_of_its_own(megabytes: int, status: int) -> None:
    body = b"username=" + b"x" * megabytes * 1024**2
    assert Client().generic("POST", "/admin/login/", body, FORM).status_code == status


MARKS = "a" + "\u0301" * 15_000 + "\u0327" * 15_000  # to put them in order takes many seconds


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", LOGIN),
        ("POST", "/api/v1/auth/users/"),
        ("PATCH", "/api/v1/auth/users/me/"),
        ("POST", "/admin/login/"),
        ("POST", "/api/v1/auth/users/reset_password/"),
    ],
)
def test_a_name_of_thousands_of_marks_takes_no_time(method: str, address: str) -> None:
    client = client_of(make_user())
    body = {"username": MARKS, "password": "x"}
    form = "multipart" if address.startswith("/admin/") else "json"
    began = time.monotonic()
    answer = getattr(client, method.lower())(address, body, format=form)
    assert time.monotonic() - began < 5
    assert answer.status_code in (200, 400)


@pytest.mark.django_db
def test_spaces_in_front_do_not_hide_whose_password_is_guessed(limit: Any) -> None:
    limit(login_account="1/min")
    user = make_user()
    body = {"username": " " * 2000 + user.username, "password": "wrong"}
    client = APIClient()
    answers = [client.post(LOGIN, body, format="json").status_code for _ in range(2)]
    assert answers == [400, 429]


def test_an_order_by_thousands_of_fields_is_one_by_each() -> None:
    """10,000 took seconds."""
    books = BookFilter({"ordering": "title,-year,,title," * 1000}, Book.objects.all()).qs
    assert books.query.order_by == ("title", "-year", "pk")


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["books", "films", "categories"])
def test_a_search_is_for_200_characters(address: str) -> None:
    answers = [Client().get(f"/api/v1/{address}/", {"search": "x" * size}) for size in (200, 201)]
    assert [answer.status_code for answer in answers] == [200, 400]

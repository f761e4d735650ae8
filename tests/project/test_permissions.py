"""Who may do what: everybody, with every method, at every address of the API.

An address that is new in the schema fails `test_table_is_complete` until it has a line here.
"""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from catalog.films import tasks
from catalog.films.models import Generation, Kind
from tests.accounts.conftest import rates as rates
from tests.support.books import fields as book_fields
from tests.support.books import make_book
from tests.support.films import make_category, make_comment, make_film
from tests.support.pages import make_page, make_text
from tests.support.people import client_of, make_user
from uploads.models import File

pytestmark = pytest.mark.django_db

WHO = ("anonymous", "user", "owner", "staff", "permitted")
API = "/api/v1/"

# What each of them is answered. The owner is whose the thing is, the author of a comment, and who
# has started a task; where nothing is anybody's, simply another user. Staff have every permission
# of Django's but the one that it takes, the permitted are staff with that one alone.
TABLE = """
GET     /                                  200 200 200 200 200
GET     /pages/                            200 200 200 200 200
GET     /pages/{id}/                       200 200 200 200 200
GET     /contents/{id}/views/              200 200 200 200 200
GET     /contents/top/                     200 200 200 200 200

GET     /books/                            200 200 200 200 200
POST    /books/                            401 201 201 201 201
GET     /books/{id}/                       200 200 200 200 200
PUT     /books/{id}/                       401 200 200 200 200
PATCH   /books/{id}/                       401 200 200 200 200
DELETE  /books/{id}/                       401 204 204 204 204

GET     /categories/                       200 200 200 200 200
POST    /categories/                       401 201 201 201 201
GET     /categories/{id}/                  200 200 200 200 200
PUT     /categories/{id}/                  401 403 200 403 200
PATCH   /categories/{id}/                  401 403 200 403 200
DELETE  /categories/{id}/                  401 403 403 403 204
POST    /categories/generate/              401 403 403 403 202

GET     /films/                            200 200 200 200 200
POST    /films/                            401 201 201 201 201
GET     /films/{id}/                       200 200 200 200 200
PUT     /films/{id}/                       401 403 200 403 200
PATCH   /films/{id}/                       401 403 200 403 200
DELETE  /films/{id}/                       401 403 403 403 204
POST    /films/generate/                   401 403 403 403 202
GET     /films/{id}/comments/              200 200 200 200 200
POST    /films/{id}/comments/              401 201 201 201 201

GET     /comments/                         200 200 200 200 200
POST    /comments/                         401 201 201 201 201
GET     /comments/{id}/                    200 200 200 200 200
PUT     /comments/{id}/                    401 403 200 403 403
PATCH   /comments/{id}/                    401 403 200 403 403
DELETE  /comments/{id}/                    401 403 204 403 204

GET     /tasks/{task}/                     401 404 200 404 200

POST    /auth/users/                       201 201 201 201 201
GET     /auth/users/me/                    401 200 200 200 200
PUT     /auth/users/me/                    401 200 200 200 200
PATCH   /auth/users/me/                    401 200 200 200 200
DELETE  /auth/users/me/                    401 204 204 204 204
POST    /auth/users/activation/            400 400 400 400 400
POST    /auth/users/set_password/          401 204 204 204 204
POST    /auth/users/reset_password/        204 204 204 204 204
POST    /auth/users/reset_password_confirm/  400 400 400 400 400
POST    /auth/token/login/                 200 200 200 200 200
POST    /auth/token/logout/                401 204 204 204 204

GET     /upload/                           200 200 200 200 200
POST    /upload/                           201 201 201 201 201
GET     /files/                            200 200 200 200 200
GET     /files/{id}/                       200 200 200 200 200
DELETE  /files/{id}/                       401 403 204 403 204
"""
ROWS = {
    (method, f"/api/v1{path}"): dict(zip(WHO, map(int, answers), strict=True))
    for method, path, *answers in map(str.split, filter(None, TABLE.splitlines()))
}
CASES = [(method, path, who) for method, path in ROWS for who in WHO]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VERBS = {"GET": "view", "POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
MODELS = {
    "categories": "category",
    "films": "film",
    "comments": "comment",
    "files": "file",
    "tasks": "generation",
}

numbers = count(1)


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(tasks.generate, "apply_async", lambda *_, **__: None)


def made_for(path: str, owner: User) -> object:
    """Return the id to put into the path: of something new that belongs to `owner`."""
    makers: dict[str, Callable[[], Any]] = {
        "pages": lambda: make_page(make_text()),
        "contents": make_text,
        "books": make_book,
        "categories": lambda: make_category(owner=owner),
        "films": lambda: make_film(owner=owner),
        "comments": lambda: make_comment(author=owner),
        "tasks": lambda: Generation.objects.create(kind=Kind.FILMS, total=1, owner=owner),
        "files": lambda: make_file(owner),
    }
    return makers[path.removeprefix(API).partition("/")[0]]().pk


def make_file(owner: User) -> File:
    text = ContentFile(b"Some text.", name="text.txt")
    return File.objects.create(
        file=text, name="text.txt", size=10, kind="text", content_type="text/plain", owner=owner
    )


def body_for(path: str, sender: User | None) -> dict[str, Any]:
    """Return a body that is right for whatever method the path has."""
    name = f"new{next(numbers)}"
    account = {"username": name, "email": f"{name}@example.com"}
    if path.startswith(f"{API}auth/users/me/"):
        account["current_password"] = "secret"
    bodies: dict[str, Callable[[], dict[str, Any]]] = {
        "books": book_fields,
        "categories": lambda: {"title": "Comedies"},
        "films": lambda: {"title": "A film", "category": make_category().pk, "text": "Fine."},
        "comments": lambda: {"film": make_film().pk, "text": "Fine."},
        "upload": lambda: {"file": SimpleUploadedFile("text.txt", b"Some text.")},
    }
    special: dict[str, dict[str, Any]] = {
        "generate/": {"count": 1},
        "auth/users/": {**account, "password": "a long enough one"},
        "me/": account,
        "/set_password/": {"current_password": "secret", "new_password": "a long enough one"},
        "reset_password/": {"email": "nobody@example.com"},
        "activation/": {"uid": "x", "token": "x"},
        "reset_password_confirm/": {"uid": "x", "token": "x", "new_password": "a long enough one"},
        "login/": {"username": (sender or make_user()).username, "password": "secret"},
    }
    for end, body in special.items():
        if path.endswith(end):
            return body
    return bodies.get(path.removeprefix(API).partition("/")[0], dict)()


def make_staff(method: str, path: str, who: str) -> User:
    """Return somebody of staff who has the one permission that it takes, or all of the others."""
    model = MODELS.get(path.removeprefix(API).partition("/")[0], "")
    needed = Permission.objects.filter(codename=f"{VERBS[method]}_{model}")
    staff = make_user(is_staff=True)
    others = Permission.objects.exclude(pk__in=needed)
    if method == "GET":  # who may change something may see it
        others = others.exclude(codename=f"change_{model}")
    staff.user_permissions.set(needed if who == "permitted" else others)
    return staff


def ask(method: str, path: str, who: str) -> int:
    """Return the status that `who` is answered, about something that belongs to the owner."""
    owner = make_user()
    people = {"anonymous": None, "user": make_user(), "owner": owner}
    sender = people[who] if who in people else make_staff(method, path, who)
    address = path.partition("{")[0]
    if "{" in path:
        address += f"{made_for(path, owner)}{path.partition('}')[2]}"
    body = None if method == "GET" else body_for(path, sender)
    form = "multipart" if "/upload/" in path else "json"
    return int(getattr(client_of(sender), method.lower())(address, body, format=form).status_code)


@pytest.mark.parametrize(("method", "path", "who"), CASES)
def test_everybody_may_do_what_the_table_says(method: str, path: str, who: str) -> None:
    assert ask(method, path, who) == ROWS[method, path][who]


@pytest.mark.parametrize("who", ["superuser", "no staff"])
def test_superusers_may_do_all_and_a_permission_without_being_staff_is_nothing(who: str) -> None:
    """As in the admin, which lets only staff in."""
    sender = make_user(is_staff=who == "superuser", is_superuser=who == "superuser")
    sender.user_permissions.set(Permission.objects.all())
    comment = make_comment()
    answers = [
        client_of(sender).delete(f"{API}comments/{comment.pk}/").status_code,
        client_of(sender).delete(f"{API}films/{comment.film_id}/").status_code,
        client_of(sender).post(f"{API}films/generate/", {"count": 1}).status_code,
    ]
    assert answers == ([204, 204, 202] if who == "superuser" else [403, 403, 403])


def test_a_film_goes_only_with_the_comments_that_its_deleter_may_delete() -> None:
    """As in the admin."""
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="delete_film"))
    comment = make_comment()
    address = f"{API}films/{comment.film_id}/"
    assert client_of(staff).delete(address).status_code == 403
    comment.delete()
    assert client_of(staff).delete(address).status_code == 204


@pytest.mark.parametrize("who", ["staff", "permitted"])
def test_the_button_that_deletes_a_file_is_for_those_who_may(client: Client, who: str) -> None:
    client.force_login(make_staff("DELETE", "/api/v1/files/{id}/", who))
    file = make_file(make_user())
    may = who == "permitted"
    for address in ("/files/", f"/files/{file.pk}/"):
        page = client.get(address, headers={"Accept": "text/html"}).content.decode()
        assert (f"/files/{file.pk}/delete/" in page) == may
    answer = client.post(f"/files/{file.pk}/delete/", headers={"Accept": "text/html"})
    assert answer.status_code == (303 if may else 403)


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_being_staff_alone_opens_nothing_in_the_admin(client: Client, model: type[Model]) -> None:
    client.force_login(make_user(is_staff=True))
    for pattern in admin.site.get_model_admin(model).get_urls():
        if pattern.name is None:  # the old address of a form
            continue
        arguments = dict.fromkeys(pattern.pattern.converters, 1)
        address = reverse(f"admin:{pattern.name}", kwargs=arguments)
        for answer in (client.get(address), client.post(address)):
            # 302: there is no such thing. 405: only the other method is there.
            assert answer.status_code in (302, 403, 405), address
            assert answer.headers.get("Location", "/admin/") == "/admin/", address


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_who_may_only_look_has_no_action_in_the_admin(rf: RequestFactory, model: Any) -> None:
    request = rf.get("/")
    request.user = make_user(is_staff=True)
    request.user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    assert admin.site.get_model_admin(model).get_actions(request) == {}


@pytest.mark.parametrize("path", sorted({path for _, path in ROWS}))
def test_other_methods_are_for_nobody(path: str) -> None:
    for method in METHODS:
        if (method, path) not in ROWS:
            assert ask(method, path, "staff") == 405
            assert ask(method, path, "anonymous") in (401, 405)


def test_table_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    call_command("spectacular", "--format=openapi-json", f"--file={file}")
    paths = json.loads(file.read_text())["paths"]
    found = {(method.upper(), path) for path in paths for method in paths[path]}
    assert {one for one in found if one[1].startswith(API)} == set(ROWS)

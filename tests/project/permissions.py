"""Every URL of the API, and the status for each kind of user."""

from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from catalog.films.models import GenerationJob, Kind
from tests.support.books import fields as book_fields
from tests.support.books import make_book
from tests.support.films import make_category, make_comment, make_film
from tests.support.pages import make_page, make_text
from tests.support.people import client_of, make_user
from uploads.models import File

WHO = ("anonymous", "user", "owner", "staff", "permitted")
API = "/api/v1/"

# What each of them is answered. The owner is whose the thing is, the author of a comment, and who
# has started a task; where nothing is anybody's, simply another user. Staff have every permission
# of Django's but the one that it takes, the permitted are staff with that one alone.
TABLE = """
GET     /                                  200 200 200 200 200
GET     /pages/                            200 200 200 200 200
GET     /pages/{id}/                       200 200 200 200 200
POST    /views/                            202 202 202 202 202
GET     /contents/{id}/views/              200 200 200 200 200
GET     /contents/top/                     200 200 200 200 200
GET     /contents/export/                  401 403 403 403 200

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
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VERBS = {"GET": "view", "POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
MODELS = {
    "contents": "content",
    "categories": "category",
    "films": "film",
    "comments": "comment",
    "files": "file",
    "tasks": "generationjob",
}

numbers = count(1)


def made_for(path: str, owner: User | None) -> object:
    """Return the id of a new object of `owner`, for the path."""
    makers: dict[str, Callable[[], Any]] = {
        "pages": lambda: make_page(make_text()),
        "contents": make_text,
        "books": make_book,
        "categories": lambda: make_category(owner=owner),
        "films": lambda: make_film(owner=owner),
        "comments": lambda: make_comment(author=owner),
        "tasks": lambda: GenerationJob.objects.create(kind=Kind.FILMS, total=1, owner=owner),
        "files": lambda: make_file(owner),
    }
    return makers[path.removeprefix(API).partition("/")[0]]().pk


def make_file(owner: User | None) -> File:
    text = ContentFile(b"Some text.", name="text.txt")
    return File.objects.create(
        file=text, name="text.txt", size=10, kind="text", content_type="text/plain", owner=owner
    )


def body_for(path: str, sender: User | None) -> dict[str, Any]:
    """Return a valid body for the methods of the path."""
    name = f"new{next(numbers)}"
    account = {"username": name, "email": f"{name}@example.com"}
    if path.startswith(f"{API}auth/users/me/"):
        account["current_password"] = "secret"
    bodies: dict[str, Callable[[], dict[str, Any]]] = {
        "books": book_fields,
        "categories": lambda: {"title": "Comedies"},
        "films": lambda: {"title": "A film", "category": make_category().pk, "text": "Fine."},
        "comments": lambda: {"film": make_film().pk, "text": "Fine."},
        "views": lambda: {"views": [{"page": make_page(make_text()).pk, "id": str(uuid4())}]},
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
        "login/": {"username": sender.username if sender else "", "password": "secret"},
    }
    if path.endswith("login/") and not sender:
        special["login/"]["username"] = make_user().username
    for end, body in special.items():
        if path.endswith(end):
            return body
    return bodies.get(path.removeprefix(API).partition("/")[0], dict)()


def make_staff(method: str, path: str, who: str) -> User:
    """Return a member of staff with the one permission that is needed, or with all others."""
    model = MODELS.get(path.removeprefix(API).partition("/")[0], "")
    needed = Permission.objects.filter(codename=f"{VERBS[method]}_{model}")
    staff = make_user(is_staff=True)
    others = Permission.objects.exclude(pk__in=needed)
    if method == "GET":  # who may change something may see it
        others = others.exclude(codename=f"change_{model}")
    give(staff, needed if who == "permitted" else others)
    return staff


def give(user: User, permissions: QuerySet[Permission]) -> None:
    """Do what `user.user_permissions.set(permissions)` does, in one statement."""
    rows = permissions.order_by().values("pk")
    chosen, parameters = rows.query.sql_with_params()
    table = connection.ops.quote_name(User.user_permissions.through._meta.db_table)
    insert = f"INSERT INTO {table} (user_id, permission_id) SELECT {user.pk:d}, "
    with connection.cursor() as cursor:
        cursor.execute(f"{insert} chosen.pk FROM ({chosen}) AS chosen", parameters)


def ask(method: str, path: str, who: str, accept: str = "application/json") -> int:
    """Return the status that `who` is answered, with an object of the owner."""
    owner = make_user() if "{" in path or who == "owner" else None
    sender = owner if who == "owner" else None
    if who == "user":
        sender = make_user()
    elif who in ("staff", "permitted"):
        sender = make_staff(method, path, who)
    body = None if method == "GET" else body_for(path, sender)
    return send(method, address_of(path, owner), sender, body, accept)


def address_of(path: str, owner: User | None) -> str:
    """Return the path, with the id of a new object of `owner` if it has one."""
    address = path.partition("{")[0]
    return f"{address}{made_for(path, owner)}{path.partition('}')[2]}" if "{" in path else address


def send(
    method: str, address: str, sender: User | None, body: Any, accept: str = "application/json"
) -> int:
    """Return the status of the answer."""
    form = "multipart" if "/upload/" in address else "json"
    ask = getattr(client_of(sender), method.lower())
    return int(ask(address, body, format=form, headers={"Accept": accept}).status_code)

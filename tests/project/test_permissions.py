"""Permissions: every kind of user, with every method, at every URL of the API.

An address that is new in the schema fails `test_table_is_complete` until it has a line here.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client
from django.urls import resolve, reverse

from tests.project.permissions import (
    API,
    METHODS,
    ROWS,
    WHO,
    address_of,
    ask,
    body_for,
    give,
    make_file,
    make_staff,
    send,
)
from tests.support.films import make_comment
from tests.support.people import client_of, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_worker", "no_throttles")]


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_everybody_may_do_what_the_table_says(method: str, path: str) -> None:
    assert {who: ask(method, path, who) for who in WHO} == ROWS[method, path]


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


def test_being_staff_alone_opens_nothing_in_the_admin(rf: Any) -> None:
    """The views are called without the middleware: 400 requests through it take seconds."""
    staff = make_user(is_staff=True)
    for address in addresses_of_the_admin():
        view = resolve(address)
        for request in (rf.get(address), rf.post(address)):
            request.user, request._messages = staff, CookieStorage(request)
            request._dont_enforce_csrf_checks = True  # else no POST reaches its view
            # 302: there is no such thing. 405: only the other method is there.
            with suppress(PermissionDenied):
                answer = view.func(request, *view.args, **view.kwargs)
                assert answer.status_code in (302, 403, 405), address
                assert answer.headers.get("Location", "/admin/") == "/admin/", address


def addresses_of_the_admin() -> Iterator[str]:
    for model in admin.site._registry:
        for pattern in admin.site.get_model_admin(model).get_urls():
            if pattern.name is not None:  # else the old address of a form
                arguments = dict.fromkeys(pattern.pattern.converters, 1)
                yield reverse(f"admin:{pattern.name}", kwargs=arguments)


def test_who_may_only_look_has_no_action_in_the_admin(rf: Any) -> None:
    request = rf.get("/")
    request.user = make_user(is_staff=True)
    request.user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    assert admin.site._registry
    for model in admin.site._registry:
        assert admin.site.get_model_admin(model).get_actions(request) == {}, model


@pytest.mark.parametrize("path", sorted({path for _, path in ROWS}))
def test_other_methods_are_not_allowed(path: str) -> None:
    owner, staff = make_user(), make_user(is_staff=True)
    give(staff, Permission.objects.all())
    address, body = address_of(path, owner), body_for(path, None)
    for method in METHODS:
        if (method, path) not in ROWS:
            assert send(method, address, staff, None if method == "GET" else body) == 405
            assert send(method, address, None, None if method == "GET" else body) in (401, 405)


def test_table_is_complete(paths: dict[str, Any]) -> None:
    found = {(method.upper(), path) for path in paths for method in paths[path]}
    assert {one for one in found if one[1].startswith(API)} == set(ROWS)


def test_schema_says_what_needs_an_account(paths: dict[str, Any]) -> None:
    for (method, path), answers in ROWS.items():
        security = paths[path][method.lower()].get("security", [{}])
        assert ({} in security) == (answers["anonymous"] != 401), (method, path)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the paths of the schema."""
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--format=openapi-json", f"--file={file}")
    return json.loads(file.read_text())["paths"]

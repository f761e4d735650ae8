"""Actions of staff are in the audit log, from the API and the admin."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.test import Client

from accounts.models import User
from footfall.models import DeadLetter
from tests.support.books import make_book
from tests.support.films import make_category, make_film
from tests.support.people import client_of, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return make_user(is_staff=True, is_superuser=True)


def entries() -> list[tuple[int | None, int, str, str]]:
    return [
        (entry.user_id, entry.action_flag, entry.object_repr, entry.get_change_message())
        for entry in LogEntry.objects.order_by("pk")
    ]


def test_deleting_by_the_api(staff: User) -> None:
    film = make_film()
    address = f"/api/v1/films/{film.pk}/"
    assert client_of(staff).delete(address).status_code == 204
    assert entries() == [(staff.pk, DELETION, address, f"DELETE {address}")]
    entry = LogEntry.objects.get()
    assert entry.object_id == str(film.pk)
    assert entry.content_type
    assert entry.content_type.model == "film"


def test_changing_and_adding_by_the_api(staff: User) -> None:
    category = make_category()
    client = client_of(staff)
    assert client.patch(f"/api/v1/categories/{category.pk}/", {"title": "x"}).status_code == 200
    assert client.post("/api/v1/categories/", {"title": "y"}).status_code == 201
    assert [flag for _, flag, *_ in entries()] == [CHANGE, ADDITION]


def test_having_things_generated(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.films.tasks.generate.apply_async", lambda *_, **__: None)
    assert client_of(staff).post("/api/v1/films/generate/", {"count": 1}).status_code == 202
    address = "/api/v1/films/generate/"
    assert entries() == [(staff.pk, ADDITION, address, f"POST {address}")]


def test_a_token_leaves_an_entry_as_a_session_does(staff: User) -> None:
    client = Client()
    client.force_login(staff)
    book = make_book()
    assert client.delete(f"/api/v1/books/{book.pk}/").status_code == 204
    assert [user for user, *_ in entries()] == [staff.pk]


def test_actions_of_the_admin(admin_client: Client, admin_user: User) -> None:
    other = make_user()
    address = "/admin/accounts/user/"
    body = {"action": "end_tokens", "_selected_action": [other.pk], "index": 0}
    assert admin_client.post(address, body).status_code == 302
    (entry,) = entries()
    assert entry[:3] == (admin_user.pk, CHANGE, address)
    assert f"end_tokens _selected_action={other.pk}" in entry[3]


def test_a_nul_hides_nothing(admin_client: Client) -> None:
    other = make_user()
    body = {"action": "end_tokens", "_selected_action": [other.pk], "index": 0, "note": "\0"}
    assert admin_client.post("/admin/accounts/user/", body).status_code == 302
    assert f"end_tokens _selected_action={other.pk}" in entries()[0][3]


def test_an_action_is_not_hidden_behind_another(admin_client: Client) -> None:
    body = {"action": ["end_tokens", "delete_selected"], "_selected_action": [1], "index": 0}
    assert admin_client.post("/admin/accounts/user/", body).status_code == 302
    assert "end_tokens _selected_action=1" in entries()[0][3]


def test_replaying_what_was_set_aside(admin_client: Client) -> None:
    event = DeadLetter.objects.create(partition=0, at=0, body=b"{}", reason="x")
    body = {"action": "replay", "_selected_action": [event.pk], "index": 0}
    admin_client.post("/admin/counters/deadletter/", body)
    assert f"replay _selected_action={event.pk}" in entries()[0][3]


def test_asking_for_an_audit(admin_client: Client) -> None:
    admin_client.post("/admin/counters/dashboard/audit/")
    assert entries()[0][3] == "POST /admin/counters/dashboard/audit/"


def test_deciding_about_dead_letters(admin_client: Client) -> None:
    admin_client.post("/admin/uploads/file/dead/", {"letter": ["1-0", "2-0"], "dismiss": "1"})
    assert entries()[0][3] == "POST /admin/uploads/file/dead/ dismiss=1 letter=1-0,2-0"


def test_forms_of_the_admin_leave_the_one_entry_of_django(admin_client: Client) -> None:
    book = make_book()
    address = f"/admin/books/book/{book.pk}/delete/"
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    (entry,) = entries()
    assert entry[1:3] == (DELETION, str(book))


def test_a_password_is_in_no_entry(admin_client: Client, admin_user: User) -> None:
    admin_client.post("/admin/password_change/", {"old_password": "password"})
    client_of(admin_user).post(
        "/api/v1/auth/users/set_password/",
        {"current_password": "password", "new_password": "a long enough one"},
    )
    assert all("long enough" not in text and "=" not in text for *_, text in entries())


def test_others_and_refused_requests_leave_none(staff: User) -> None:
    film = make_film()
    ordinary = make_user()
    client_of(ordinary).post("/api/v1/categories/", {"title": "x"})
    assert client_of(ordinary).delete(f"/api/v1/films/{film.pk}/").status_code == 403
    assert client_of(staff).delete("/api/v1/films/999999/").status_code == 404
    client_of(staff).get(f"/api/v1/films/{film.pk}/")
    assert entries() == []


def test_the_audit_log_is_read_in_the_admin_and_changed_nowhere(
    admin_client: Client, admin_user: User, staff: User
) -> None:
    client_of(staff).post("/api/v1/categories/", {"title": "y"})
    entry = LogEntry.objects.get()
    page = admin_client.get("/admin/admin/logentry/")
    assert "POST /api/v1/categories/" in page.content.decode()
    address = f"/admin/admin/logentry/{entry.pk}"
    assert admin_client.get(f"{address}/change/").status_code == 200
    assert admin_client.post(f"{address}/change/", {}).status_code == 403
    assert admin_client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get("/admin/admin/logentry/add/").status_code == 403


def test_signing_in_and_out_is_no_action(client: Client, staff: User) -> None:
    who = {"username": staff.username, "password": "secret"}
    for address in ("/admin/login/", "/session/login/"):
        assert client.post(f"{address}?next=/admin/", who).status_code == 302
        assert client.post("/session/logout/").status_code == 302
    assert entries() == []

"""/upload/ and /files/ in a browser; tests/browser tries them with a real one."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from tests.support.files import MakeFile
from tests.uploads.sending import send
from uploads.models import File, Kind, Status

pytestmark = pytest.mark.django_db

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NAME = "<img src=x onerror=\"alert('1')\">.txt"


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann", "ann@example.com")


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address, headers=BROWSER)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return response.content.decode()


@pytest.mark.parametrize("address", ["/upload/", "/files/"])
@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_client_of_the_api_gets_json(client: Client, address: str, accept: str) -> None:
    response = client.get(address, headers={"Accept": accept} if accept else {})
    assert response.headers["Content-Type"] == "application/json"
    assert "Accept" in response.headers["Vary"]


def test_page_has_a_form_that_works_without_scripts(client: Client, settings: Settings) -> None:
    html = page(client, "/upload/")
    assert 'enctype="multipart/form-data"' in html
    assert "100.0\xa0MB" in html
    assert "<script>" not in html
    assert "style=" not in html


def test_form_sends_a_file_and_shows_the_list(client: Client) -> None:
    response = send(client, name="notes.txt", address="/upload/", headers=BROWSER)
    assert response.status_code == 303
    assert response.headers["Location"] == "/files/"
    html = page(client, "/files/")
    assert "notes.txt was uploaded and will be processed." in html
    assert "received" in html


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "The file is empty."),
        (b"x" * 2000, 413, "The file is too large: at most 1000\xa0bytes."),
        (b"MZ" + bytes(100), 415, "application/x-msdownload are not allowed."),
    ],
)
def test_form_tells_what_is_wrong(
    client: Client, settings: Settings, body: bytes, status: int, reason: str
) -> None:
    settings.UPLOADS_MAX_BYTES = 1000
    response = send(client, body, "a.exe", "/upload/", headers=BROWSER)
    assert response.status_code == status
    assert reason in response.content.decode()


def test_nothing_is_there_yet(client: Client) -> None:
    assert "No files yet." in page(client, "/files/")
    assert "No files found." in page(client, "/files/?kind=pdf")


@pytest.mark.parametrize(
    ("address", "status"),
    [("/files/?kind=song", 400), ("/files/?page=9", 404), ("/files/9/", 404)],
)
def test_wrong_address_is_a_page_too(client: Client, address: str, status: int) -> None:
    assert "Something went wrong" in page(client, address, status)


def test_file_that_is_gone_is_told_in_plain_words(client: Client) -> None:
    assert "There is no such file." in page(client, "/files/9/", 404)


def test_list_is_filtered_and_turned(client: Client, make_file: MakeFile) -> None:
    for number in range(3):
        make_file(name=f"paper {number}.pdf", kind=Kind.PDF)
    make_file(name="notes.txt")
    html = page(client, "/files/?kind=pdf&page_size=2")
    assert "notes.txt" not in html
    assert "Page 1 of 2" in html
    assert "?kind=pdf&amp;page=2&amp;page_size=2" in html


def test_list_takes_two_queries_for_a_stranger(
    client: Client, make_file: MakeFile, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_file()
    with django_assert_num_queries(2):
        page(client, "/files/")


@pytest.mark.parametrize("status", Status.values)
def test_names_and_findings_are_only_text(client: Client, make_file: MakeFile, status: str) -> None:
    found = {NAME: [NAME, None, True, {NAME: NAME}]}
    file = make_file(name=NAME, status=status, error=NAME, metadata=found)
    for address in ("/files/", f"/files/{file.pk}/", f"/files/rows/?pending={file.pk}:"):
        html = page(client, address) if "rows" not in address else rows(client, f"{file.pk}:")
        assert "<img src=x" not in html
        assert "&lt;img src=x" in html


@pytest.mark.parametrize(
    ("content_type", "kind", "element"),
    [
        ("audio/wav", Kind.AUDIO, "<audio"),
        ("video/mp4", Kind.VIDEO, "<video"),
        ("image/png", Kind.IMAGE, 'class="preview"'),
    ],
)
def test_file_is_shown(
    client: Client, make_file: MakeFile, content_type: str, kind: Kind, element: str
) -> None:
    file = make_file(kind=kind, content_type=content_type, status=Status.PROCESSED)
    file.thumbnail.save("thumbnails/a.webp", ContentFile(b"RIFF"))
    assert element in page(client, f"/files/{file.pk}/")


def test_only_changed_rows_come(client: Client, make_file: MakeFile) -> None:
    same, changed = make_file(name="same.txt"), make_file(name="new.txt", status=Status.PROCESSED)
    gone = changed.pk + 1
    html = rows(client, f"{same.pk}:received", f"{changed.pk}:received", f"{gone}:received", "x:y")
    assert "same.txt" not in html
    assert f'id="file-{changed.pk}" hx-swap-oob="true"' in html
    assert f'<li id="file-{gone}" hx-swap-oob="delete">' in html
    assert "new.txt: processed" in html
    assert rows(client, f"{same.pk}:received", "9" * 30, "").strip() == ""


def test_a_file_that_begins_to_wait_says_so(client: Client, make_file: MakeFile) -> None:
    reason = "The storage is unavailable. The file waits for it."
    file = make_file(error=reason)

    html = rows(client, f"{file.pk}:received")

    assert reason in html
    assert f'value="{file.pk}:waiting"' in html
    assert rows(client, f"{file.pk}:waiting").strip() == ""
    assert reason in page(client, f"/files/{file.pk}/")


def test_button_deletes_for_owner_and_staff_only(
    client: Client, make_file: MakeFile, ann: User
) -> None:
    file = make_file(owner=ann)
    address = f"/files/{file.pk}/delete/"
    assert "Delete" not in page(client, "/files/")
    assert client.post(address, headers=BROWSER).status_code == 401
    client.force_login(User.objects.create_user("bob", "bob@example.com"))
    assert client.post(address, headers=BROWSER).status_code == 403
    client.force_login(ann)
    assert "Delete" in page(client, "/files/")
    response = client.post(address, headers=BROWSER)
    assert (response.status_code, response.headers["Location"]) == (303, "/files/")
    assert "a.txt was deleted." in page(client, "/files/")
    assert not File.objects.exists()


def test_button_of_a_row_deletes_in_place(client: Client, make_file: MakeFile, ann: User) -> None:
    client.force_login(ann)
    file = make_file(owner=ann, name="<b>.txt")
    headers = {"HX-Request": "true"}
    response = client.post(f"/files/{file.pk}/delete/", headers=headers)
    assert response.status_code == 200
    assert "&lt;b&gt;.txt was deleted." in response.content.decode()


def test_button_needs_the_csrf_token(make_file: MakeFile, ann: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    file = make_file(owner=ann)
    assert client.post(f"/files/{file.pk}/delete/").status_code == 403
    assert client.get(f"/files/{file.pk}/delete/").status_code == 405
    assert File.objects.exists()


def rows(client: Client, *pending: str) -> Any:
    response = client.get("/files/rows/", {"pending": pending})
    assert response.status_code == 200
    return response.content.decode()

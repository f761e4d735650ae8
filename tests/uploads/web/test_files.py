"""GET /api/v1/files/, GET and DELETE /api/v1/files/{id}/."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.authtoken.models import Token

from accounts.models import User
from tests.support.files import MakeFile
from tests.uploads.sending import stored
from uploads.models import File, Kind, Status

pytestmark = pytest.mark.django_db

LISTS = ["/api/v1/files/", "/files/"]


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann", "ann@example.com")


def signed(user: User) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Token {Token.objects.get_or_create(user=user)[0].key}"}}


@pytest.mark.parametrize("address", LISTS)
def test_list_has_the_latest_first(client: Client, make_file: MakeFile, address: str) -> None:
    first, second = make_file(name="first.txt"), make_file(name="second.txt")
    answer = client.get(address).json()
    assert [found["id"] for found in answer["results"]] == [second.pk, first.pk]
    assert (answer["count"], answer["next"], answer["previous"]) == (2, None, None)


@pytest.mark.parametrize("address", LISTS)
def test_list_comes_in_pages(client: Client, make_file: MakeFile, address: str) -> None:
    for _ in range(3):
        make_file()
    answer = client.get(address, {"page_size": 2}).json()
    assert len(answer["results"]) == 2
    assert len(client.get(answer["next"]).json()["results"]) == 1
    assert client.get(address, {"page": 9}).status_code == 404


@pytest.mark.parametrize("address", LISTS)
def test_list_by_kind_and_status(client: Client, make_file: MakeFile, address: str) -> None:
    make_file(kind=Kind.TEXT, status=Status.FAILED)
    make_file(kind=Kind.TEXT)
    wanted = make_file(kind=Kind.PDF, status=Status.FAILED)

    def listed(**query: str) -> list[int]:
        return [found["id"] for found in client.get(address, query).json()["results"]]

    assert listed(kind="pdf") == [wanted.pk]
    assert listed(kind="pdf", status="failed") == [wanted.pk]
    assert listed(kind="pdf", status="received") == []
    assert len(listed(status="failed")) == 2


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("query", [{"kind": "song"}, {"status": "lost"}, {"status": "a\0b"}])
def test_unknown_kind_or_status_is_400(client: Client, address: str, query: dict[str, str]) -> None:
    response = client.get(address, query)
    assert response.status_code == 400
    assert set(response.json()) == set(query)


def test_list_takes_two_queries(
    client: Client,
    make_file: MakeFile,
    django_assert_num_queries: DjangoAssertNumQueries,
    ann: User,
) -> None:
    for _ in range(3):
        make_file(owner=ann)
    with django_assert_num_queries(2):
        client.get("/api/v1/files/")


@pytest.mark.parametrize("root", ["/api/v1/", "/"])
def test_processed_file_is_described(client: Client, make_file: MakeFile, root: str) -> None:
    file = make_file(status=Status.PROCESSED, metadata={"lines": 1})
    file.thumbnail.save("thumbnails/a.webp", ContentFile(b"RIFF"))
    answer = client.get(f"{root}files/{file.pk}/").json()
    assert answer["processed"] is True
    assert answer["metadata"] == {"lines": 1}
    assert answer["thumbnail"] == f"http://testserver/files/{file.pk}/thumbnail/"


@pytest.mark.parametrize("root", ["/api/v1/", "/"])
def test_owner_deletes_the_file(
    client: Client,
    make_file: MakeFile,
    media: Path,
    ann: User,
    root: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    file = make_file(owner=ann)
    file.thumbnail.save("thumbnails/a.webp", ContentFile(b"RIFF"))
    assert len(stored(media)) == 2
    with django_capture_on_commit_callbacks(execute=True):
        response = client.delete(f"{root}files/{file.pk}/", **signed(ann))
    assert response.status_code == 204
    assert stored(media) == []
    assert client.get(f"{root}files/{file.pk}/").status_code == 404


def test_staff_deletes_any_file(client: Client, make_file: MakeFile, ann: User) -> None:
    staff = User.objects.create_user("root", "root@example.com", is_staff=True, is_superuser=True)
    file = make_file(owner=ann)
    assert client.delete(f"/api/v1/files/{file.pk}/", **signed(staff)).status_code == 204


def test_others_delete_nothing(client: Client, make_file: MakeFile, ann: User) -> None:
    bob = User.objects.create_user("bob", "bob@example.com")
    for file in (make_file(owner=ann), make_file()):
        address = f"/api/v1/files/{file.pk}/"
        assert client.delete(address).status_code == 401
        assert client.delete(address, **signed(bob)).status_code == 403
    assert File.objects.count() == 2


@pytest.mark.parametrize("root", ["/api/v1/", "/"])
def test_file_that_is_not_there_is_404(client: Client, ann: User, root: str) -> None:
    assert client.get(f"{root}files/7/").json() == {"detail": "No File matches the given query."}
    assert client.delete(f"{root}files/7/", **signed(ann)).status_code == 404

"""POST /api/v1/upload/: what is there afterwards."""

import hashlib
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings
from rest_framework.authtoken.models import Token

from accounts.models import User
from api.throttling import ClientThrottle
from tests.support.files import png
from tests.uploads.sending import BOUNDARY, END, MULTIPART, UPLOAD, part, send, send_raw, stored
from uploads.models import File
from uploads.queue.events import decode
from uploads.queue.redis_queue import RedisQueue
from uploads.web import body_slots

pytestmark = pytest.mark.django_db


def test_file_is_stored_and_described(client: Client, media: Path) -> None:
    body = png()
    response = send(client, body, "Red and blue.png")

    assert response.status_code == 201
    file = File.objects.get()
    answer = response.json()
    assert answer.pop("uploaded_at")
    assert answer == {
        "id": file.pk,
        "url": f"http://testserver/api/v1/files/{file.pk}/",
        "file": f"http://testserver/files/{file.pk}/content/",
        "name": "Red and blue.png",
        "size": len(body),
        "kind": "image",
        "content_type": "image/png",
        "sha256": hashlib.sha256(body).hexdigest(),
        "owner": None,
        "processed": False,
        "status": "received",
        "error": "",
        "attempts": 0,
        "metadata": {},
        "thumbnail": None,
    }
    assert response.headers["Location"] == answer["url"]
    assert stored(media) == [Path(file.file.path)]
    assert Path(file.file.path).read_bytes() == body


def test_file_is_stored_under_a_name_of_our_own(client: Client) -> None:
    send(client, name="secret plans.txt")
    file = File.objects.get()
    assert "secret" not in str(file.file.name)
    assert Path(file.file.path).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *(("Отчёт за март.txt", encoding) for encoding in ("cp1251", "koi8-r", "utf-8")),
        ("Größe.txt", "cp1252"),
        ("日本語のテスト.txt", "cp932"),
        ("新建文件夹.txt", "gbk"),
    ],
)
def test_name_in_another_encoding_is_readable(client: Client, name: str, encoding: str) -> None:
    """Some programs send it as it is on their disk."""
    head, _, rest = part(b"\xff\xfe raw \xe0", "NAME").partition(b"NAME")

    response = send_raw(client, head + name.encode(encoding) + rest + END)

    assert (response.status_code, response.json()["name"]) == (201, name)
    assert response.json()["size"] == len(b"\xff\xfe raw \xe0")


@pytest.mark.parametrize("chunk", [1, 7, 100, 4_096])
def test_body_may_arrive_in_any_pieces(client: Client, chunk: int, media: Path) -> None:
    """Neither boundaries nor headers need to be in one piece."""
    content = b"\r\n\xff\r\n--" + BOUNDARY[2:9].encode() + b"\r\n\r\n" + bytes(3_000)
    body = part(content, "\u0451.bin").replace("\u0451".encode(), "\u0451".encode("cp1251")) + END

    class Slow(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(chunk, len(body) if size in {None, -1} else size or 0))

    request: dict[str, Any] = {"wsgi.input": Slow(body), "CONTENT_LENGTH": str(len(body))}
    response = client.generic("POST", UPLOAD, CONTENT_TYPE=MULTIPART, **request)

    assert response.status_code == 201
    assert Path(File.objects.get().file.path).read_bytes() == content


def test_event_is_published_on_commit(
    client: Client, queue: RedisQueue, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = send(client)
    entry = queue.first()
    assert entry
    assert decode(entry.body) == response.json()["id"]


def test_type_is_what_the_file_is_whatever_its_name_says(client: Client) -> None:
    assert send(client, png(), "not a picture.pdf").json()["content_type"] == "image/png"


@pytest.mark.parametrize("address", [UPLOAD, "/upload/"])
def test_uploader_with_a_token_is_the_owner(client: Client, address: str) -> None:
    user = User.objects.create_user("ann", "ann@example.com")
    token = Token.objects.create(user=user)
    answer = send(client, address=address, headers={"Authorization": f"Token {token.key}"}).json()
    assert answer["owner"] == user.pk


def test_wrong_token_is_401(client: Client, media: Path) -> None:
    response = send(client, headers={"Authorization": "Token wrong"})
    assert response.status_code == 401
    assert stored(media) == []


def test_session_needs_the_csrf_token(media: Path) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("ann", "ann@example.com"))
    assert send(client).status_code == 403
    assert stored(media) == []

    client.get("/upload/", headers={"Accept": "text/html"})
    token = client.cookies["csrftoken"].value
    assert send(client, headers={"X-CSRFToken": token}).status_code == 201
    field = f'--{"----boundary"}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"'
    body = f"{field}\r\n\r\n{token}\r\n".encode() + part(b"Hello\n") + END
    assert send_raw(client, body).json()["owner"] is not None


def test_stranger_needs_no_csrf_token() -> None:
    assert send(Client(enforce_csrf_checks=True)).status_code == 201


def test_too_many_uploads_of_a_client_are_429(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientThrottle, "THROTTLE_RATES", {"upload": "1/min"})
    monkeypatch.setattr(ClientThrottle, "cache_format", f"{uuid4().hex}_%(scope)s_%(ident)s")
    assert send(client, REMOTE_ADDR="192.0.2.7").status_code == 201
    response = send(client, REMOTE_ADDR="192.0.2.7")
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert send(client, REMOTE_ADDR="192.0.2.8").status_code == 201
    assert client.get(UPLOAD, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_terms_are_told(client: Client, settings: Settings) -> None:
    answer = client.get(UPLOAD).json()
    assert answer == {
        "field": "file",
        "max_bytes": settings.UPLOADS_MAX_BYTES,
        "anonymous_days": settings.UPLOADS_ANONYMOUS_DAYS,
    }


def test_nothing_is_kept_when_the_row_cannot_be_written(
    client: Client, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(File, "save", fail)
    with pytest.raises(DatabaseError):
        send(client)
    assert stored(media) == []


def test_database_that_is_away_is_503_and_nothing_is_kept(
    client: Client, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("no connection")

    monkeypatch.setattr(transaction, "atomic", fail)
    response = send(client)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert stored(media) == []


def test_more_uploads_than_may_be_at_once_are_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_slots, "slots", slots := BoundedSemaphore(1))
    for body in (b"Hello\n", b"", b"MZ" + bytes(100)):  # its slot is free afterwards
        assert send(client, body).status_code != 503
    with slots:
        response = send(client)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"


def test_storage_that_is_away_is_503(client: Client, media: Path) -> None:
    media.mkdir()
    (media / "files").write_bytes(b"in the way")
    response = send(client)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert stored(media) == [media / "files"]
    assert not File.objects.exists()


def test_place_to_receive_that_is_away_is_503(client: Client, media: Path) -> None:
    media.write_bytes(b"in the way")
    assert send(client).status_code == 503


def test_schema_describes_every_answer() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]  # type: ignore[no-untyped-call]
    answers = {
        (path, method): set(operation["responses"])
        for path in (UPLOAD, "/api/v1/files/", "/api/v1/files/{id}/", "/files/{id}/content/")
        for method, operation in paths[path].items()
    }
    assert answers == {
        (UPLOAD, "get"): {"200", "401", "503"},
        (UPLOAD, "post"): {"201", "400", "401", "403", "413", "415", "429", "503", "507"},
        ("/api/v1/files/", "get"): {"200", "400", "401", "404", "503"},
        ("/api/v1/files/{id}/", "get"): {"200", "401", "404", "503"},
        ("/api/v1/files/{id}/", "delete"): {"204", "401", "403", "404", "429", "503"},
        ("/files/{id}/content/", "get"): {"200", "206", "302", "304", "404", "416", "503"},
    }
    assert set(paths[UPLOAD]["post"]["requestBody"]["content"]) == {"multipart/form-data"}

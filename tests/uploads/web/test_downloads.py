"""GET and HEAD /files/{id}/content/ and /files/{id}/thumbnail/."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from tests.support.files import MakeFile
from uploads.models import File

pytestmark = pytest.mark.django_db

BODY = bytes(range(256)) * 4


def content(client: Client, file: File, method: str = "get", **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return getattr(client, method)(f"/files/{file.pk}/content/", headers=names)


def test_file_comes_as_it_was_sent(client: Client, make_file: MakeFile) -> None:
    file = make_file(BODY, "a.bin", content_type="application/octet-stream")
    response = content(client, file)
    assert response.status_code == 200
    assert response.getvalue() == BODY
    expected = {
        "Content-Type": "application/octet-stream",
        "Content-Length": "1024",
        "Content-Disposition": 'attachment; filename="a.bin"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Accept-Ranges": "bytes",
    }
    assert expected.items() <= response.headers.items()


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("image/png", "inline"),
        ("video/mp4", "inline"),
        ("text/plain", "inline"),
        ("application/pdf", "attachment"),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/zip", "attachment"),
    ],
)
def test_only_what_is_harmless_is_shown(
    client: Client, make_file: MakeFile, content_type: str, disposition: str
) -> None:
    response = content(client, make_file(name="a", content_type=content_type))
    assert response.headers["Content-Disposition"] == f'{disposition}; filename="a"'
    assert response.headers["Content-Type"].partition(";")[0] == content_type
    response.close()


@pytest.mark.parametrize(
    ("metadata", "charset"),
    [
        ({}, "utf-8"),
        ({"encoding": "windows-1251"}, "windows-1251"),
        ({"encoding": "ascii"}, "us-ascii"),
        ({"encoding": "x\r\nSet-Cookie: a=b"}, "utf-8"),
        ({"encoding": None}, "utf-8"),
        ({"encoding": "cp932"}, "shift_jis"),
        ({"encoding": "utf-16"}, "utf-16"),
    ],
)
def test_text_comes_with_its_own_encoding(
    client: Client, make_file: MakeFile, metadata: dict[str, str], charset: str
) -> None:
    response = content(client, make_file(metadata=metadata))
    assert response.headers["Content-Type"] == f"text/plain; charset={charset}"
    response.close()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ёлка.txt", "filename*=utf-8''%D0%81%D0%BB%D0%BA%D0%B0.txt"),
        ('a"b\\c.txt', 'filename="a\\"b\\\\c.txt"'),
        ("a;b.txt", 'filename="a;b.txt"'),
    ],
)
def test_name_is_written_as_browsers_read_it(
    client: Client, make_file: MakeFile, name: str, written: str
) -> None:
    response = content(client, make_file(name=name))
    assert response.headers["Content-Disposition"] == f"inline; {written}"
    response.close()


def test_head_tells_the_size(client: Client, make_file: MakeFile) -> None:
    response = content(client, make_file(BODY), "head")
    assert response.status_code == 200
    assert response.headers["Content-Length"] == "1024"
    assert response.content == b""


@pytest.mark.parametrize(
    ("wanted", "found", "start", "stop"),
    [
        ("bytes=0-9", "bytes 0-9/1024", 0, 10),
        ("bytes=1000-", "bytes 1000-1023/1024", 1000, 1024),
        ("bytes=1000-5000", "bytes 1000-1023/1024", 1000, 1024),
        ("bytes=-24", "bytes 1000-1023/1024", 1000, 1024),
        ("bytes=-5000", "bytes 0-1023/1024", 0, 1024),
        ("bytes=7-7", "bytes 7-7/1024", 7, 8),
    ],
)
def test_part_of_a_file(
    client: Client, make_file: MakeFile, wanted: str, found: str, start: int, stop: int
) -> None:
    response = content(client, make_file(BODY), Range=wanted)
    assert response.status_code == 206
    assert response.headers["Content-Range"] == found
    assert response.headers["Content-Length"] == str(stop - start)
    assert response.getvalue() == BODY[start:stop]


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_part_behind_the_end_is_416(client: Client, make_file: MakeFile, wanted: str) -> None:
    response = content(client, make_file(BODY), Range=wanted)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=9-0", "bytes=-", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=" + "9" * 5000],
)
def test_range_that_is_not_understood_is_ignored(
    client: Client, make_file: MakeFile, wanted: str
) -> None:
    response = content(client, make_file(BODY), Range=wanted)
    assert response.status_code == 200
    assert response.getvalue() == BODY


def test_rest_of_something_else_is_not_sent(client: Client, make_file: MakeFile) -> None:
    file = make_file(BODY)
    assert content(client, file, Range="bytes=9-", If_Range='"another"').getvalue() == BODY
    tag = content(client, file, "head").headers["ETag"]
    assert content(client, file, Range="bytes=9-", If_Range=tag).getvalue() == BODY[9:]


def test_client_that_has_the_file_is_told_so(client: Client, make_file: MakeFile) -> None:
    file = make_file(BODY)
    tag = content(client, file, "head").headers["ETag"]
    response = content(client, file, If_None_Match=tag)
    assert response.status_code == 304
    assert response.headers["ETag"] == tag


def test_picture_is_sent_to_who_accepts_pictures_only(client: Client, make_file: MakeFile) -> None:
    response = content(client, make_file(content_type="image/png"), Accept="image/*")
    assert response.status_code == 200
    response.close()


def test_file_that_is_not_in_the_storage_is_404(client: Client, make_file: MakeFile) -> None:
    file = make_file()
    Path(file.file.path).unlink()
    response = content(client, file)
    assert response.status_code == 404
    assert response.json() == {"detail": "The file is no longer in the storage."}
    assert client.get("/files/0/content/").status_code == 404


def test_thumbnail_may_be_kept_for_long(client: Client, make_file: MakeFile) -> None:
    file = make_file()
    address = f"/files/{file.pk}/thumbnail/"
    assert client.get(address).json() == {"detail": "The file has no thumbnail."}
    file.thumbnail.save("thumbnails/a.webp", ContentFile(b"RIFF"))
    response = client.get(address)
    assert response.getvalue() == b"RIFF"
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["Cache-Control"] == "public, max-age=604800"

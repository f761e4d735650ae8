"""What cannot be taken gets the right answer, and leaves nothing behind."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.uploads.sending import BOUNDARY, END, MULTIPART, UPLOAD, part, send, send_raw, stored
from uploads.models import File
from uploads.web.filenames import clean

pytestmark = pytest.mark.django_db


@pytest.fixture
def nothing_left(db: None, media: Path) -> Iterator[None]:
    yield
    assert not File.objects.exists()
    assert stored(media) == []


@pytest.fixture
def small(settings: Settings) -> int:
    """The largest size that is taken, in bytes."""
    settings.UPLOADS_MAX_BYTES = 100_000
    return 100_000


@pytest.mark.usefixtures("nothing_left")
class TestRefused:
    @pytest.mark.parametrize(
        "body",
        [
            END,
            part(b"Hello", field="picture") + END,
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"\r\n\r\nHello\r\n'.encode()
            + END,
            part(b"", name="") + END,
            b"",
        ],
        ids=["empty form", "another field", "a text", "nothing chosen", "no body"],
    )
    def test_no_file(self, client: Client, body: bytes) -> None:
        response = send_raw(client, body)
        assert response.status_code == 400
        assert response.json() == {"file": ["No file was sent."]}

    def test_request_without_anything(self, client: Client) -> None:
        response = client.generic("POST", UPLOAD, content_type="")
        assert response.json() == {"file": ["No file was sent."]}

    def test_empty_file(self, client: Client) -> None:
        response = send(client, b"")
        assert response.status_code == 400
        assert response.json() == {"file": ["The file is empty."]}

    def test_several_files(self, client: Client) -> None:
        response = send_raw(client, part(b"One") + part(b"Two", "b.txt") + END)
        assert response.status_code == 400
        assert response.json() == {"file": ["Send one file at a time."]}

    @pytest.mark.parametrize("more", [1, 50_000, 5_000_000])
    def test_too_large(self, client: Client, small: int, more: int) -> None:
        response = send(client, b"x" * (small + more))
        assert response.status_code == 413
        assert response.json() == {"detail": "The file is too large: at most 97.7\xa0KB."}

    def test_one_that_says_it_is_too_large_is_not_read(self, client: Client, small: int) -> None:
        response = client.generic(
            "POST", UPLOAD, CONTENT_TYPE=MULTIPART, CONTENT_LENGTH=str(10**12)
        )
        assert response.status_code == 413

    def test_large_fields_beside_the_file(self, client: Client, small: int) -> None:
        field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n'.encode()
        body = field + b"x" * 3_000_000 + b"\r\n" + part(b"Hello") + END
        assert send_raw(client, body).status_code == 413

    def test_too_large_in_chunks_of_unknown_number(self, client: Client, small: int) -> None:
        response = send_chunked(client, part(b"x" * (small + 1)) + END)
        assert response.status_code == 413

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("a.exe", b"MZ" + bytes(200)),
            ("a.txt", b"\x7fELF" + bytes(200_000)),
            ("a.html", b"<!doctype html><script>alert(1)</script>"),
            ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ],
    )
    def test_type_that_is_not_taken(self, client: Client, name: str, body: bytes) -> None:
        response = send(client, body, name)
        assert response.status_code == 415
        assert "are not allowed" in response.json()["detail"]

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (part(b"Hello") + END, "multipart/form-data"),
            (part(b"Hello") + END, "multipart/form-data; boundary=" + "x" * 300),
            (part(b"Hello"), MULTIPART),
            (part(b"Hello")[:-10], MULTIPART),
            (part(b"Hello").replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
             MULTIPART),
            (part(b"Hello") * 2_000 + END, MULTIPART),
            (part(b"Hello", field="other") * 200 + END, MULTIPART),
            (part(b"Hello").replace(b'; filename="a.txt"', b"") * 2_000 + END, MULTIPART),
        ],
        ids=["no boundary", "long boundary", "no end", "half", "no base64", "files", "other files",
             "fields"],
    )  # fmt: skip
    def test_broken_multipart(self, client: Client, body: bytes, content_type: str) -> None:
        response = send_raw(client, body, content_type)
        assert response.status_code == 400
        assert response.json()

    @pytest.mark.parametrize(
        "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"]
    )
    def test_body_that_is_no_form(self, client: Client, content_type: str) -> None:
        response = send_raw(client, b"{}", content_type)
        assert response.status_code == 415
        assert content_type in response.json()["detail"]

    def test_name_of_ten_thousand_letters(self, client: Client) -> None:
        response = send_raw(client, part(b"Hello\n", "a" * 10_000 + ".txt") + END)
        assert response.status_code == 400
        assert response.json() == {"file": ["The name of the file is too long."]}

    def test_connection_that_breaks(self, client: Client) -> None:
        body = part(b"x" * 300_000) + END
        request: dict[str, Any] = {"wsgi.input": Breaking(body[:200_000])}
        request |= {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": str(len(body))}
        response = client.generic("POST", UPLOAD, **request)
        assert response.status_code == 400
        assert response.json() == {"detail": "The body ends before the file does."}

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_other_methods(self, client: Client, method: str) -> None:
        response = getattr(client, method)(UPLOAD)
        assert response.status_code in (401, 405)


def test_body_of_unknown_length_is_taken(client: Client) -> None:
    assert send_chunked(client, part(b"Hello\n") + END).json()["size"] == 6


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Documents\\plan.txt", "plan.txt"),
        ("a/b\\c.txt", "c.txt"),
        ("line\tone\x1b[31m.txt", "line one[31m.txt"),
        ("\u202egnp.exe.txt", "gnp.exe.txt"),
        ("nul\0l.txt", "null.txt"),
        ("..", "file"),
        ("///", "file"),
        (" \u2028 ", "file"),
        ("\x01\x02", "file"),
        ("trailing. . ", "trailing"),
        (".env", ".env"),
        ("a" * 10_000 + ".tar.gz", "a" * 252 + ".gz"),
        ("a" * 252 + ".txt", "a" * 251 + ".txt"),
        ("x." + "b" * 10_000, "x." + "b" * 253),
        ("й" * 300, "й" * 255),
        ("и\u0306.txt", "й.txt"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("&lt;b&gt;.txt", "&lt;b&gt;.txt"),
    ],
)
def test_name_is_made_harmless(sent: str, kept: str) -> None:
    assert clean(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("a\0b.txt", "ab.txt"),
        ("\u202egnp.txt", "gnp.txt"),
        ("a" * 500 + ".txt", "a" * 251 + ".txt"),
        ("Ёлка.txt", "Ёлка.txt"),
    ],
)
def test_file_with_a_bad_name_is_taken(client: Client, sent: str, kept: str) -> None:
    assert send_raw(client, part(b"Hello\n", sent) + END).json()["name"] == kept


class Breaking(BytesIO):
    """The body of a client that goes away."""

    def read(self, size: int | None = -1, /) -> bytes:
        if data := super().read(size):
            return data
        raise OSError("connection reset")


def send_chunked(client: Client, body: bytes) -> Any:
    """Send `body` without its length, as a server passes on `Transfer-Encoding: chunked`."""
    request: dict[str, Any] = {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    return client.generic("POST", UPLOAD, CONTENT_TYPE=MULTIPART, **request)

"""Downloads through nginx as Compose has it: the service says which file, nginx sends it."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.core.files.base import ContentFile

from loadtest.common.ports import free_port
from loadtest.common.waiting import wait_until
from standalone.configuration import ROOT
from tests.support.files import MakeFile
from tests.uploads.web.web_server import Web, serve
from uploads.models import File

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("nginx"), reason="There is no nginx."),
]

PREFIX = "/media-files/"
BODY = bytes(range(256)) * 4
# Of the connection, of the moment, or of the API rather than of a file.
PASSING = {"server", "date", "connection", "keep-alive", "x-request-id", "transfer-encoding"}
PASSING |= {"allow", "content-language"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(autouse=True)
def media(settings: object, folder: Path) -> Path:
    settings.MEDIA_ROOT = folder  # type: ignore[attr-defined]
    return folder


@pytest.fixture(scope="module")
def web(django_db_setup: None, folder: Path) -> Iterator[Web]:
    """The service as it is behind the proxy."""
    with serve(folder, DOWNLOADS_ACCEL_PREFIX=PREFIX) as web:
        yield web


@pytest.fixture(scope="module")
def plain(django_db_setup: None, folder: Path) -> Iterator[Web]:
    """The service without a proxy: it sends the files itself."""
    with serve(folder) as web:
        yield web


@pytest.fixture(scope="module")
def nginx(web: Web, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a proxy before `web`."""
    port, own = free_port(), tmp_path_factory.mktemp("nginx")
    text = (ROOT / "compose/nginx/nginx.conf").read_text()
    here = {
        "/tmp/": f"{own}/",  # noqa: S108
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "web:8000": f"127.0.0.1:{web.port}",
        "/media/footfall/": f"{folder}/",
    }
    for theirs, ours in here.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    (own / "nginx.conf").write_text(text)
    # As root it would read the test's files as another user.
    command = ["nginx", "-c", str(own / "nginx.conf"), "-g", "daemon off; user root;"]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: process.poll() is None and answers(address), 20)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def content(file: File) -> str:
    return f"/files/{file.pk}/content/"


def headers(response: requests.Response) -> dict[str, str]:
    lower = {name.lower(): value for name, value in response.headers.items()}
    return {name: value for name, value in lower.items() if name not in PASSING}


def test_the_service_leaves_the_file_to_the_proxy(web: Web, make_file: MakeFile) -> None:
    file = make_file(BODY)

    response = requests.get(f"{web.address}{content(file)}", timeout=10)

    assert response.headers["X-Accel-Redirect"] == f"{PREFIX}{file.file.name}"
    assert response.content == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain"),
        ("Ёлка.txt", "text/plain"),
        ("a.html", "text/html"),
        ("a.bin", "application/octet-stream"),
        ("a.png", "image/png"),
    ],
)
def test_the_answer_is_the_one_that_the_service_would_send(
    nginx: str, plain: Web, make_file: MakeFile, method: str, name: str, content_type: str
) -> None:
    path = content(make_file(BODY, name, content_type=content_type))

    there, here = (
        requests.request(method, f"{address}{path}", timeout=10)
        for address in (plain.address, nginx)
    )

    assert (here.status_code, here.content) == (there.status_code, there.content)
    assert headers(here) == headers(there)
    assert here.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert "X-Request-ID" in here.headers


@pytest.mark.parametrize(
    "asked",
    [
        {"Range": "bytes=0-9"},
        {"Range": "bytes=1000-5000"},
        {"Range": "bytes=-24"},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=9-", "If-Range": '"another"'},
        {"Range": "bytes=9-", "If-Range": f'"{"0" * 64}"'},
        {"If-None-Match": f'"{"0" * 64}"'},
        {"If-None-Match": '"another"'},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Match": f'"{"0" * 64}"'},
        {"If-Match": '"another"'},
    ],
)
def test_parts_and_conditions_are_the_same(
    nginx: str, plain: Web, make_file: MakeFile, asked: dict[str, str]
) -> None:
    path = content(make_file(BODY, "a.bin", content_type="application/octet-stream"))

    there, here = (
        requests.get(f"{address}{path}", headers=asked, timeout=10)
        for address in (plain.address, nginx)
    )

    assert (here.status_code, here.content) == (there.status_code, there.content)
    there.headers.pop("Accept-Ranges", None)  # in a part nginx says so by Content-Range
    here.headers.pop("Accept-Ranges", None)
    assert headers(here) == headers(there)


def test_part_behind_the_end_is_416(nginx: str, make_file: MakeFile) -> None:
    asked = {"Range": "bytes=1024-"}
    response = requests.get(f"{nginx}{content(make_file(BODY))}", headers=asked, timeout=10)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */1024"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_thumbnail_may_be_kept_for_long(nginx: str, plain: Web, make_file: MakeFile) -> None:
    file = make_file(BODY)
    file.thumbnail.save("thumbnails/a.webp", ContentFile(b"RIFF"))

    there, here = (
        requests.get(f"{address}/files/{file.pk}/thumbnail/", timeout=10)
        for address in (plain.address, nginx)
    )

    assert here.content == b"RIFF"
    assert headers(here) == headers(there)
    assert here.headers["Cache-Control"] == "public, max-age=604800"


def test_file_that_is_gone_is_404(nginx: str, make_file: MakeFile) -> None:
    file = make_file()
    Path(file.file.path).unlink()
    response = requests.get(f"{nginx}{content(file)}", timeout=10)
    assert response.status_code == 404
    assert response.json() == {"detail": "The file is no longer in the storage."}


@pytest.mark.parametrize("prefix", [PREFIX, f"/static/..{PREFIX}"])
def test_nobody_reads_the_folder_by_its_name(nginx: str, make_file: MakeFile, prefix: str) -> None:
    response = requests.get(f"{nginx}{prefix}{make_file(BODY).file.name}", timeout=10)
    assert response.status_code == 404


def test_a_slow_download_takes_no_thread_of_the_service(nginx: str, make_file: MakeFile) -> None:
    """It has two threads and six places; here are twenty clients."""
    path = content(make_file(bytes(8_000_000), "a.bin", content_type="application/octet-stream"))
    slow = [requests.get(f"{nginx}{path}", stream=True, timeout=10) for _ in range(20)]

    began = time.monotonic()
    assert all(response.status_code == 200 for response in slow)
    assert requests.get(f"{nginx}/api/v1/pages/", timeout=10).status_code == 200
    assert time.monotonic() - began < 5
    for response in slow:
        response.close()


def test_the_folder_and_the_prefix_are_those_of_compose() -> None:
    text = (ROOT / "compose/nginx/nginx.conf").read_text()
    scale = (ROOT / "compose/scale.yml").read_text()
    (where,) = re.findall(r"location (/\S+) \{\s+internal;", text)
    assert where == PREFIX
    assert f"DOWNLOADS_ACCEL_PREFIX: {where}\n" in scale

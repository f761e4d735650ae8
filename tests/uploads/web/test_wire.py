"""Uploads to the server that runs in production, through a socket."""

import json
import os
import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest
import requests

from loadtest.common.waiting import wait_until
from tests.uploads.sending import END, MULTIPART, UPLOAD, part, stored
from tests.uploads.web.web_server import Web, serve
from uploads.models import File

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 1024**2


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serve(tmp_path_factory.mktemp("media"), UPLOADS_MAX_BYTES=str(LIMIT)) as web:
        yield web


@pytest.fixture(autouse=True)
def own_folder(web: Web) -> None:
    """No test sees what another one has left."""
    for path in stored(web.media):
        path.unlink()


def answer(client: socket.socket) -> tuple[int, dict[str, object]]:
    response = HTTPResponse(client)
    response.begin()
    return response.status, json.loads(response.read())


def test_file_arrives(web: Web) -> None:
    body = os.urandom(LIMIT)
    response = requests.post(f"{web.address}{UPLOAD}", files={"file": ("a.bin", body)}, timeout=20)
    assert response.status_code == 201
    assert requests.get(response.json()["file"], timeout=20).content == body
    head = requests.head(response.json()["file"], timeout=20)
    assert (head.headers["Content-Length"], head.content) == (str(LIMIT), b"")
    part = requests.get(response.json()["file"], headers={"Range": "bytes=10-19"}, timeout=20)
    assert (part.status_code, part.content) == (206, body[10:20])


def test_too_large_is_told_before_anything_is_sent(web: Web) -> None:
    with web.request(f"Content-Length: {10**10}", "Expect: 100-continue") as client:
        status, problem = answer(client)
    assert status == 413
    assert problem == {"detail": "The file is too large: at most 1.0\xa0MB."}


def test_client_that_sends_without_listening_hears_it_too(web: Web) -> None:
    body = b"x" * (64 * LIMIT)
    response = requests.post(f"{web.address}{UPLOAD}", files={"file": ("a.bin", body)}, timeout=20)
    assert response.status_code == 413


def test_body_of_unknown_length_is_cut_at_the_limit(web: Web) -> None:
    with web.request("Transfer-Encoding: chunked") as client:
        head, block = part(b"")[:-2], b"x" * 100_000
        try:
            client.sendall(b"%x\r\n%s\r\n" % (len(head), head))
            for _ in range(10_000):  # 1 GB
                client.sendall(b"%x\r\n%s\r\n" % (len(block), block))
        except OSError:
            pass  # it has closed its ear, and tells why
        else:
            raise AssertionError("It has read everything.")
        assert answer(client)[0] == 413
    assert stored(web.media) == []


def test_body_of_unknown_length_is_taken(web: Web) -> None:
    def body() -> Iterator[bytes]:
        yield part(b"Hello\n")
        yield END

    headers = {"Content-Type": MULTIPART}
    response = requests.post(f"{web.address}{UPLOAD}", data=body(), headers=headers, timeout=20)
    assert response.status_code == 201
    assert response.json()["size"] == 6


def test_connection_that_is_cut_leaves_nothing(web: Web) -> None:
    with web.request(f"Content-Length: {LIMIT}") as client:
        client.sendall(part(b"x" * 500_000)[:-2])
        wait_until(lambda: stored(web.media))  # it is being written
    wait_until(lambda: not stored(web.media))
    assert not File.objects.exists()


def test_token_that_is_wrong_is_told_at_once(web: Web) -> None:
    with web.request(f"Content-Length: {LIMIT}", "Authorization: Token wrong") as client:
        assert answer(client)[0] == 401


def test_slow_uploads_do_not_share_a_file(web: Web) -> None:
    bodies = {name: part(name.encode() * 1000) + END for name in ("a", "b")}
    length = len(bodies["a"])
    with (
        web.request(f"Content-Length: {length}") as first,
        web.request(f"Content-Length: {length}") as second,
    ):
        for start in range(0, length, 300):
            first.sendall(bodies["a"][start : start + 300])
            second.sendall(bodies["b"][start : start + 300])
        answers = [answer(first)[1], answer(second)[1]]
    assert answers[0]["sha256"] != answers[1]["sha256"]

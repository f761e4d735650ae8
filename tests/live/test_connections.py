"""Clients that say nothing, or read as slowly as they can, keep no other client waiting."""

import socket
from contextlib import closing

import pytest
import requests

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from tests.live.attackers import (
    Attackers,
    Behaviour,
    ReadNothing,
    ReadSlowly,
    ask_once,
    get,
    say_nothing,
    send_a_byte_every_5_seconds,
)
from tests.live.files import Files
from tests.live.fixtures import ATTACK_SECONDS, Withstand

# The short version has more than granian takes by itself: 2 x 1,024.
CONNECTIONS = 5000 if ATTACK_SECONDS >= 30 else 2300
DOWNLOADS = 200
# Of each kind that reads nothing: a web worker has 16 threads.
READING_NOTHING = DOWNLOADS if ATTACK_SECONDS >= 30 else 40
# So often each asks: 5 MB of the schema, or thousands of refusals.
TIMES = 100 if ATTACK_SECONDS >= 30 else 40
SIZE = 6_000_000  # bytes; more than the kernel takes off the server's hands
STATIC = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


@pytest.fixture(scope="module")
def download(service: Copy) -> str:
    """The path of a file that is too large to be sent at once."""
    return f"/files/{Files(service).upload('large.bin', bytes(SIZE))}/content/"


@pytest.mark.parametrize(
    "behave",
    [
        say_nothing,
        pytest.param(send_a_byte_every_5_seconds, marks=pytest.mark.long),
        pytest.param(ask_once, marks=pytest.mark.long),
    ],
)
def test_thousands_of_connections_keep_no_reader_waiting(
    service: Copy, withstand: Withstand, behave: Behaviour
) -> None:
    withstand(Attackers(service.port, CONNECTIONS, behave))


def test_slow_downloads_keep_no_reader_waiting(
    service: Copy, withstand: Withstand, download: str
) -> None:
    slow = ReadSlowly(download)

    withstand(Attackers(service.port, DOWNLOADS, slow))

    assert slow.answers[200] > 0
    assert slow.answers[503] > 0
    assert slow.answers.keys() == {200, 503}
    wait_until(lambda: requests.head(address(service, download), timeout=10).status_code == 200)
    wait_until(lambda: len(requests.get(address(service, download), timeout=30).content) == SIZE)


@pytest.mark.long
def test_slow_readers_of_anything_long_keep_no_reader_waiting(
    service: Copy, withstand: Withstand, download: str
) -> None:
    with (
        Attackers(service.port, READING_NOTHING, ReadNothing(download, TIMES)),
        Attackers(service.port, READING_NOTHING, ReadNothing("/api/v1/schema/", TIMES)),
    ):
        withstand(Attackers(service.port, DOWNLOADS, ReadSlowly(STATIC)))


@pytest.mark.parametrize("path", ["/api/v1/schema/", pytest.param(STATIC, marks=pytest.mark.long)])
def test_who_stops_reading_is_cut_off(service: Copy, path: str) -> None:
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", service.port))
        client.settimeout(30)
        client.sendall(get(path) * 100)

        wait_until(lambda: is_reset(client), 30)


def is_reset(client: socket.socket) -> bool:
    return bool(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def address(service: Copy, path: str) -> str:
    return f"http://127.0.0.1:{service.port}{path}"

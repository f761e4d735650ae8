"""The web server that runs in production, for tests through a socket."""

import multiprocessing
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from granian import Granian
from granian.constants import Interfaces

from loadtest.common.ports import free_port
from loadtest.common.waiting import wait_until
from tests.support import databases, processes
from tests.uploads.sending import MULTIPART, UPLOAD


class Web:
    def __init__(self, port: int, media: Path) -> None:
        self.port, self.media = port, media
        self.address = f"http://127.0.0.1:{port}"

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", timeout=1).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    @contextmanager
    def request(self, *headers: str) -> Iterator[socket.socket]:
        """Begin a request; the body is sent by the test."""
        lines = [f"POST {UPLOAD} HTTP/1.1", "Host: localhost", f"Content-Type: {MULTIPART}"]
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
            yield client


@contextmanager
def serve(media: Path, **variables: str) -> Iterator[Web]:
    """Run it with the test's database, and with files in `media`."""
    web = Web(free_port(), media)
    environment = os.environ | {
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "COUNTERS_LOG_PREFIX": "test-wire",
        "MEDIA_ROOT": str(media),
        **databases.environment(),
        **variables,
    }
    process = processes.start(environment, run, web.port)
    try:
        wait_until(web.answers, 60)
        yield web
    finally:
        process.terminate()
        process.join(60)
        if process.exitcode is None:
            process.kill()
        assert process.exitcode == 0


def run(port: int) -> None:
    """Serve as granian does. Its worker is forked from this process, as in production."""
    multiprocessing.set_start_method("fork", force=True)
    multiprocessing.current_process().daemon = False  # a daemon may have no children
    Granian(
        "project.wsgi:application",
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=2,
        log_enabled=False,
    ).serve()

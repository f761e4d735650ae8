"""The web server that runs in production, for tests through a socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from loadtest.common.ports import free_port
from loadtest.common.waiting import wait_until
from tests.support import databases
from tests.uploads.sending import MULTIPART, UPLOAD


class Web:
    def __init__(self, port: int, media: Path) -> None:
        self.port, self.media = port, media
        self.address = f"http://127.0.0.1:{port}"

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", timeout=1).ok
        except requests.ConnectionError:
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
    command = [sys.executable, "-m", "granian", "project.wsgi:application", "--interface", "wsgi",
               "--host", "127.0.0.1", "--port", str(web.port), "--blocking-threads", "2",
               "--log-level", "critical"]  # fmt: skip
    process = subprocess.Popen(command, env=environment)
    try:
        wait_until(web.answers, 30)
        yield web
    finally:
        process.terminate()
        process.wait(20)

"""The web server replaces its workers, however often they are killed."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from loadtest.common.ports import free_port
from loadtest.common.waiting import wait_until
from standalone.configuration import ROOT

APPLICATION = """
import os

def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[psutil.Process]:
    (tmp_path / "answering.py").write_text(APPLICATION)
    command = [sys.executable, "-m", "project.web_server", "answering:application"]
    command += ["--interface", "wsgi", "--port", str(port), "--workers", "1", "--no-log"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        server = psutil.Process(process.pid)
        yield server
        workers = server.children() if process.poll() is None else []
        process.terminate()
        assert process.wait(60) == 0
        assert not psutil.wait_procs(workers, 10)[1]


def worker(port: int) -> int | None:
    """Return the process id of the worker that answers, if one does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return int(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_a_worker_that_is_killed_again_and_again_is_replaced(
    server: psutil.Process, port: int
) -> None:
    killed: set[int | None] = {None}
    for _ in range(4):
        wait_until(lambda: worker(port) not in killed, 30)
        for child in server.children():
            killed.add(child.pid)
            with suppress(psutil.NoSuchProcess):
                child.kill()
    wait_until(lambda: worker(port) not in killed, 30)
    assert len(killed) > 4

"""The whole service as its user starts it, stopped and hurt from outside."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until

STARTED = 60.0  # seconds


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def copy(data_dir: Path, free_port: int, stack: ExitStack) -> Copy:
    copy = Copy(data_dir, free_port)
    stack.callback(copy.end)
    wait_until(copy.is_ready, STARTED)
    return copy


def test_the_service_serves_heals_starts_again_and_stops(
    copy: Copy, free_port: int, stack: ExitStack
) -> None:
    assert copy.get("/healthz")[0] == 200
    assert json.loads(copy.get("/api/v1/pages/")[1])["count"] >= 5
    assert "Administrator admin, password " in copy.output
    # Nothing that it keeps is another user's to read: no key, no file, no socket.
    kept = {path.name: path.stat().st_mode & 0o077 for path in copy.data_dir.iterdir()}
    assert {name for name, others in kept.items() if others} == {"output"}
    assert {"secret-key", "database-url", "processes.json", "postgres", "redis"} <= set(kept)

    second = Copy(copy.data_dir, free_port)
    assert second.process.wait(20) == 2
    assert f"DATA_DIR {copy.data_dir} is in use by process {copy.process.pid}" in second.output

    for name in ("redis", "postgres", "worker", "uploader", "flusher", "beat", "web"):
        copy.kill(name)
        assert f"{name} was killed by SIGKILL; starting it again" in copy.output
    wait_until(lambda: copy.get("/api/v1/pages/1/")[0] == 200, STARTED)

    copy.process.kill()  # the supervisor
    copy.process.wait()
    third = Copy(copy.data_dir, free_port)
    stack.callback(third.end)
    wait_until(lambda: third.output.count("footfall | ready after") == 2, STARTED)
    assert third.output.count("password ") == 1  # the first run's: the data was kept

    assert third.stop(signal.SIGINT) == 0, third.output
    assert third.output.rstrip().endswith("footfall | stopped")
    assert not third.leftovers()


def test_a_busy_port_is_named_before_anything_starts(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        copy = Copy(data_dir, server.getsockname()[1])

        assert copy.process.wait(20) == 2
    assert f"footfall: PORT {copy.port} cannot be used" in copy.output
    assert not (data_dir / "postgres").exists()


def test_a_wrong_setting_ends_the_start_with_its_name(data_dir: Path, free_port: int) -> None:
    copy = Copy(data_dir, free_port, DJANGO_SECRET_KEY="short")

    assert copy.process.wait(30) == 1
    assert "DJANGO_SECRET_KEY" in copy.output
    assert "`manage.py migrate` ended with exit code 1" in copy.output
    assert not copy.leftovers()

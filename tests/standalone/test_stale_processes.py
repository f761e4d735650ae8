import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from standalone import directories, room, stale_processes
from standalone.stale_processes import PidRegistry


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def sleeper(stack: ExitStack, data_dir: Path, code: str = "") -> "subprocess.Popen[bytes]":
    code += "\nimport time; print(flush=True); time.sleep(60)"
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "DATA_DIR": str(data_dir)},
        )
    )
    stack.callback(process.kill)
    assert process.stdout
    process.stdout.readline()
    return process


def test_what_an_earlier_run_left_is_ended(tmp_path: Path, stack: ExitStack) -> None:
    # Of a shell's job in the background, SIGINT is ignored.
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"
    process = sleeper(stack, tmp_path, code)
    PidRegistry(tmp_path).add("web", process.pid, signal.SIGINT)
    assert (tmp_path / "processes.json").stat().st_mode & 0o777 == 0o600

    assert PidRegistry(tmp_path).end_stale_processes() == ["web"]

    assert not psutil.pid_exists(process.pid)
    assert PidRegistry(tmp_path).end_stale_processes() == []


def test_one_that_does_not_stop_is_killed(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_processes, "STOP_TIMEOUT", 0.1)
    process = sleeper(stack, tmp_path, "import signal; signal.signal(15, signal.SIG_IGN)")
    PidRegistry(tmp_path).add("web", process.pid, signal.SIGTERM)

    assert PidRegistry(tmp_path).end_stale_processes() == ["web"]

    assert not psutil.pid_exists(process.pid)


def test_the_workers_of_a_dead_leader_are_ended(tmp_path: Path, stack: ExitStack) -> None:
    code = "import os\nif os.fork(): os._exit(0)"
    leader = sleeper(stack, tmp_path, code)
    leader.wait(60)
    registry = PidRegistry(tmp_path)
    registry.entries["web"] = {"name": "web", "pid": leader.pid, "created": 0, "stop_signal": 15}
    registry._write()

    assert PidRegistry(tmp_path).end_stale_processes() == ["web"]


def test_a_later_process_with_the_same_pid_is_left_alone(tmp_path: Path, stack: ExitStack) -> None:
    process = sleeper(stack, tmp_path)
    registry = PidRegistry(tmp_path)
    registry.add("web", process.pid, signal.SIGTERM)
    entries = json.loads(registry.path.read_text())
    entries[0]["created"] -= 3600
    registry.path.write_text(json.dumps(entries))

    assert PidRegistry(tmp_path).end_stale_processes() == []

    assert process.poll() is None


def test_what_has_ended_is_no_leftover(tmp_path: Path, stack: ExitStack) -> None:
    process = sleeper(stack, tmp_path)
    registry = PidRegistry(tmp_path)
    registry.add("web", process.pid, signal.SIGTERM)
    registry.remove("web")
    registry.remove("web")

    assert PidRegistry(tmp_path).end_stale_processes() == []

    process.kill()
    process.wait()
    registry.add("web", process.pid, signal.SIGTERM)
    assert not registry.entries


def test_a_torn_roster_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "processes.json").write_text("[{")

    assert PidRegistry(tmp_path).end_stale_processes() == []


def test_what_a_full_disk_does_not_take_is_written_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PAUSE", 0.01)
    registry = PidRegistry(tmp_path)

    async def run() -> None:
        with monkeypatch.context() as context:
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            context.setattr(directories, "write_private", Mock(side_effect=full))
            registry.add("web", os.getpid(), signal.SIGINT)
            registry.add("worker", os.getpid(), signal.SIGINT)
            registry.add("beat", os.getppid(), signal.SIGINT)
            registry.remove("beat")
            await asyncio.sleep(0.05)
        assert not registry.path.exists()
        while not registry.path.exists():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 60))

    assert [one["name"] for one in json.loads(registry.path.read_text())] == ["web", "worker"]

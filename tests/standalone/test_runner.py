import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from loadtest.common.waiting import wait_until
from standalone import runner
from standalone.console import Console
from standalone.program import Program
from standalone.runner import Lines, Runner
from standalone.stale_processes import PidRegistry

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


class Heard(Console):
    """A console that remembers what was said, by whom."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def write(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def count(self, text: str) -> int:
        return sum(text in line for _, line in self.lines)


@pytest.fixture
def console() -> Heard:
    return Heard()


@pytest.fixture
def children(console: Heard, tmp_path: Path) -> Runner:
    return Runner(console, PidRegistry(tmp_path))


def python(code: str, stop_timeout: float = 5.0) -> Program:
    command = [sys.executable, "-c", code]
    return Program("child", command, Path.cwd(), os.environ, stop_timeout=stop_timeout)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def cancel(task: "asyncio.Task[None] | asyncio.Task[int]") -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    assert task.cancelled()


def run(scenario: Awaitable[None]) -> None:
    async def scene() -> None:
        await scenario

    asyncio.run(scene())


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)  # init has not reaped it
    except psutil.NoSuchProcess:
        return True


def test_the_lines_of_a_program_are_said_in_its_name(children: Runner, console: Heard) -> None:
    code = "import sys; print('one\\n\\ntwo'); sys.stdout.flush(); print('three', file=sys.stderr)"

    assert asyncio.run(children.run(python(code))) == 0

    assert console.lines == [("child", "one"), ("child", "two"), ("child", "three")]


def test_a_line_without_end_is_said_in_pieces(children: Runner, console: Heard) -> None:
    asyncio.run(children.run(python("print('x' * 300_000)")))

    assert len(console.lines) > 1
    assert sum(len(line) for _, line in console.lines) == 300_000


def test_a_program_that_dies_of_a_full_disk_is_started_again_once_there_is_room(
    children: Runner, console: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE", 1_000.0)
    monkeypatch.setattr(runner, "POLL", 0.01)
    free = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Mock(free=free[0]))

    async def scenario() -> None:
        task = asyncio.create_task(children.keep_running(python("print('up'); exit(1)")))
        await until(lambda: console.count(f"{children.registry.data_dir} is full"))
        free[0] = 10**9
        await until(lambda: console.count("up") == 2)
        await cancel(task)

    run(scenario())


def test_a_program_that_dies_is_started_again(
    children: Runner, console: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE", 0.01)

    async def scenario() -> None:
        task = asyncio.create_task(children.keep_running(python("exit(3)")))
        await until(lambda: console.count("ended with exit code 3; starting it again") >= 3)
        await cancel(task)

    run(scenario())


def test_a_program_that_has_just_ended_is_not_started_again_when_it_is_stopped(
    children: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '5'], start_new_session=True)"
    ended = []
    monkeypatch.setattr(os, "killpg", lambda pid, number: ended.append(pid))

    async def scenario() -> None:
        task = asyncio.create_task(children.keep_running(python(code)))
        await until(lambda: ended)  # the runner waits for its output: sleep holds the pipe
        await cancel(task)

    run(scenario())


def test_the_pause_grows_up_to_a_limit_and_starts_over(
    children: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    uptimes = iter([0.0] * 12 + [6.0, 0.0])
    clock = 0.0
    pauses: list[float] = []

    async def dies(program: Program) -> int:
        nonlocal clock
        clock += next(uptimes)
        return -9

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 14:
            raise asyncio.CancelledError

    monkeypatch.setattr(children, "run", dies)
    monkeypatch.setattr("standalone.runner.time.monotonic", lambda: clock)
    monkeypatch.setattr("standalone.runner.asyncio.sleep", pause)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(children.keep_running(python("")))

    assert pauses[:3] == pytest.approx([0.2, 0.32, 0.512])
    assert pauses[11] == 10.0
    assert pauses[12:] == pytest.approx([0.2, 0.32])


def test_a_killed_program_is_said_to_have_been_killed(children: Runner, console: Heard) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(children.keep_running(python(SLEEPS)))
        await until(lambda: console.count("up") == 1 and children.registry.entries)
        os.kill(children.registry.entries["child"]["pid"], signal.SIGKILL)
        await until(lambda: console.count("up") == 2)
        await cancel(task)

    run(scenario())

    assert ("footfall", "child was killed by SIGKILL; starting it again in 0.2 s") in console.lines


def test_a_cancelled_program_stops_by_its_signal(children: Runner, console: Heard) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(children.run(python(SLEEPS)))
        await until(lambda: console.count("up") and children.registry.entries)
        pid = children.registry.entries["child"]["pid"]
        await cancel(task)
        assert not psutil.pid_exists(pid)

    run(scenario())

    assert not children.killed
    assert not children.registry.entries


def test_a_stubborn_program_is_killed_after_its_patience(children: Runner, console: Heard) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(children.run(python(STUBBORN, stop_timeout=0.1)))
        await until(lambda: console.count("up"))
        await cancel(task)

    run(scenario())

    assert children.killed == ["child"]
    assert console.count("child has not stopped: killing it")


def test_in_a_hurry_a_stubborn_program_is_killed_at_once(children: Runner, console: Heard) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(children.run(python(STUBBORN, stop_timeout=60)))
        await until(lambda: console.count("up"))
        task.cancel()
        await asyncio.sleep(0)
        children.kill_at_once = True
        await cancel(task)

    began = time.monotonic()
    run(scenario())

    assert time.monotonic() - began < 5


def test_what_a_dead_program_started_dies_too(children: Runner, console: Heard) -> None:
    code = (
        "import os, subprocess, sys\n"
        f"worker = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], stdout=subprocess.PIPE)\n"
        "worker.stdout.readline(); print(worker.pid, flush=True); os.kill(os.getpid(), 9)"
    )

    assert asyncio.run(children.run(python(code))) == -signal.SIGKILL

    worker = int(console.lines[0][1])
    wait_until(lambda: is_gone(worker))


def test_a_line_is_heard_whatever_its_pieces() -> None:
    heard: list[str] = []

    async def scenario() -> None:
        lines = Lines(heard.append)
        for piece in (b"o", b"ne\ntw", b"o \r\n", b"\xff", b" end"):
            lines.data_received(piece)
        lines.connection_lost(None)
        assert lines.ended.done()

    asyncio.run(scenario())

    assert heard == ["one", "two", "\N{REPLACEMENT CHARACTER} end"]

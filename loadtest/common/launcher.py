"""Starts the programs that are measured or tested, and ends all of their processes.

Used by the bench, `make load`, `make faults` and the tests. `stores` beside it has the stores:
`with Redis(directory).served() as store`.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from loadtest.common.stores import start
from loadtest.common.waiting import wait_until
from standalone.configuration import ROOT
from standalone.program import Program

READY_SECONDS = 60.0
STOPPED_SECONDS = 60.0
PLAIN = {
    name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
}
"""What a process needs of this environment, and nothing that would tell it of other stores."""


class NotReady(Exception):
    """A program did not come up; the text is the end of its log."""


class Programs:
    """Programs that run. Leaving the context ends every one of them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.processes: list[tuple[Program, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, *programs: Program) -> None:
        self.processes += [(program, start(program, self.log)) for program in programs]

    @property
    def roots(self) -> dict[str, int]:
        """Return the first process of each program."""
        return {program.name: process.pid for program, process in self.processes}

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Return once `condition()` is true; raise NotReady if it does not come."""
        try:
            wait_until(lambda: self._has_ended() or condition(), READY_SECONDS, what)
        except TimeoutError as error:
            raise NotReady(self._why(what)) from error
        if self._has_ended():
            raise NotReady(self._why(what))

    def _has_ended(self) -> bool:
        return any(process.poll() is not None for _, process in self.processes)

    def _why(self, what: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        noise = [program.ignored_lines for program, _ in self.processes if program.ignored_lines]
        kept = [one for one in lines if not any(pattern.match(one) for pattern in noise)]
        return "\n".join([f"waited for {what}; the log ends with:", *kept[-25:]])

    def stop(self) -> None:
        """End the programs as `make run` does; kill the groups of those that take too long."""
        for program, process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(program.stop_signal)
        for program, process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(program.stop_timeout)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(
                    process.pid, signal.SIGKILL
                )  # each is the leader of its own process group
            process.wait()
        self.processes = []


class Copy:
    """One `python -m standalone`: the whole service, as `make run` starts it.

    variables: of its environment, beside `PLAIN`.
    """

    def __init__(self, data_dir: Path, port: int, **variables: str) -> None:
        self.data_dir = data_dir
        self.port = port
        self.environment = {**PLAIN, "DATA_DIR": str(data_dir), "PORT": str(port), **variables}
        self.log = data_dir / "output"
        self.start()

    def start(self) -> None:
        """Start it, again once it has ended."""
        command = [sys.executable, "-m", "standalone"]
        program = Program("footfall", command, ROOT, self.environment)
        self.process = start(program, self.log)

    @property
    def output(self) -> str:
        return self.log.read_text()

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; the status is 0 if there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Tell whether its start is over; raise NotReady if it has ended."""
        if self.process.poll() is not None:
            raise NotReady(self.output[-5_000:])
        return "footfall | ready after" in self.output

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return once it is ready; raise NotReady if that does not come."""
        try:
            wait_until(self.is_ready, seconds)
        except TimeoutError as error:
            raise NotReady(self.output[-5_000:]) from error

    def manage(
        self, *words: str, timeout: float = 120.0, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `manage.py` beside it, as an operator does: the stores are found by DATA_DIR."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env={**self.environment, **variables}, check=False,
            capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def pid(self, name: str) -> int | None:
        entries: list[dict[str, Any]] = json.loads((self.data_dir / "processes.json").read_text())
        return next((entry["pid"] for entry in entries if entry["name"] == name), None)

    def kill(self, name: str) -> None:
        """End `name` with SIGKILL and wait until there is another."""
        if (pid := self.pid(name)) is None:
            raise ProcessLookupError(f"there is no {name}")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(name) not in (None, pid), 10, f"another {name}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOPPED_SECONDS)

    def end(self) -> None:
        """End the copy and all it started, whatever happened before."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        wait_until(lambda: not self.leftovers(), 60, "the last process to end")

    def leftovers(self) -> list[psutil.Process]:
        """Return what still runs of it. Who has started it may name the directory, too."""
        ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        return [
            process
            for process in psutil.process_iter()
            if process.pid not in ours
            and str(self.data_dir) in _variable(process, "DATA_DIR") + _command_line(process)
        ]


def _variable(process: psutil.Process, name: str) -> str:
    try:
        return process.environ().get(name) or ""
    except (psutil.Error, OSError):
        return ""


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

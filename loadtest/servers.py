"""An approach as real processes: started, found ready, measured, ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

from celery import Celery

from loadtest.approaches import SITES, Approach
from loadtest.stores import Stores
from standalone import service
from standalone.configuration import ROOT, Configuration
from standalone.program import Program

SECRET_KEY = "only-for-the-bench-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105
READY_SECONDS = 60.0
# A page that was read stays prepared for all of a run. In a service it does so for 4 to 5 minutes;
# a load in which many are prepared anew would not be the next one's equal.
KEPT = {"PREPARED_SECONDS": "7200"}
Address = tuple[str, int]
# Footfall's middleware on the way of a page, for the constant view.
MIDDLEWARE = ("django.middleware.security.SecurityMiddleware",)


class NotReady(Exception):
    """A server did not come up; the text is the end of its log."""


class Place:
    """Where a bench runs: its directory, stores, and the Python of the peers."""

    def __init__(self, directory: Path, stores: Stores, peers: Path) -> None:
        self.directory = directory
        self.stores = stores
        self.peers = peers

    def environment(self, approach: Approach, port: int = 0) -> dict[str, str]:
        given = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "EVENTLOG_", "COUNTERS_", "POSTGRES_"))
            and name not in ("CELERY_BROKER_URL", "CACHE_URL")
        }
        stores = {
            "DATABASE_URL": self.stores.database_url(approach.site),
            "REDIS_URL": self.stores.redis_url(self.redis_number(approach)),
        }
        settings = {"DJANGO_SECRET_KEY": SECRET_KEY, "LOG_LEVEL": "WARNING", **KEPT}
        if approach.peer:
            settings |= {
                "PEER": approach.peer,
                "BENCH_MIDDLEWARE": " ".join(MIDDLEWARE),
                "DJANGO_SETTINGS_MODULE": "loadtest.peers.settings",
            }
        configuration = Configuration(port=port, data_dir=self.directory)
        return service.environment(configuration, {**given, **settings}, stores)

    def redis_number(self, approach: Approach) -> int:
        """Return which of Redis' numbered databases the approach has."""
        return list(SITES).index(approach.site)

    def web(self, approach: Approach, port: int) -> Program:
        """Return the web server of an approach; it is the same for all."""
        web = self._footfall(approach, port)["web"]
        command = [approach.application if ":" in word else word for word in web.command]
        if approach.peer:
            command[0] = str(self.peers)
        return replace(web, name=f"web of {approach.name}", command=command)

    def workers(self, approach: Approach) -> list[Program]:
        """Return what runs behind the web server."""
        programs = self._footfall(approach, 0)
        web = programs.pop("web")
        if not approach.peer:
            return list(programs.values())
        celery = [str(self.peers), "-m", "celery", "--quiet", "--app", "loadtest.peers.celery"]
        celery += ["worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        celery += ["--schedule", str(self.directory / f"{approach.name}-beat")]
        return [
            replace(web, name="worker", command=[*celery, *arguments], patience=20.0)
            for arguments in approach.workers
        ]

    def _footfall(self, approach: Approach, port: int) -> dict[str, Program]:
        configuration = Configuration(port=port, data_dir=self.directory)
        programs = service.programs(configuration, self.environment(approach, port))
        return {program.name: program for program in programs}


class Server:
    """Programs that run. Leaving the context ends every one of them."""

    def __init__(self, directory: Path) -> None:
        self.processes: list[tuple[Program, subprocess.Popen[bytes]]] = []
        self.log = directory / "server.log"

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, *programs: Program) -> None:
        for program in programs:
            with self.log.open("ab") as log:
                process = subprocess.Popen(
                    program.command, stdout=log, stderr=log, **program.process_options()
                )
            self.processes.append((program, process))

    def wait_read(self, address: Address, page: int) -> bytes:
        """Return the body of a page as soon as it can be read; it counts as one view."""
        body: list[bytes] = []

        def is_read() -> bool:
            with contextlib.suppress(OSError, HTTPException):
                body.append(read(address, page))
            return bool(body)

        self.wait(is_read, f"page {page} to be read")
        return body[0]

    def wait_workers(self, broker_url: str) -> None:
        """Return once every Celery worker that was started answers."""
        expected = sum("worker" in program.command for program, _ in self.processes)
        app = Celery(broker=broker_url, set_as_current=False)

        def answer() -> bool:
            return len(app.control.ping(timeout=1.0, limit=expected) or []) == expected

        if expected:
            self.wait(answer, f"{expected} Celery workers to answer")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Return once `condition()` is true; raise NotReady if it does not come."""
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            if self.has_ended() or time.monotonic() > deadline:
                raise NotReady(f"waited for {what}; the log ends with:\n{self._last()}")
            time.sleep(0.05)

    def _last(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        noise = [program.noise for program, _ in self.processes if program.noise]
        kept = [one for one in lines if not any(pattern.match(one) for pattern in noise)]
        return "\n".join(kept[-25:])

    def has_ended(self) -> bool:
        return any(process.poll() is not None for _, process in self.processes)

    @property
    def roots(self) -> dict[str, int]:
        """Return the first process of each program."""
        return {program.name: process.pid for program, process in self.processes}

    def stop(self) -> None:
        """End the programs as `make run` does; kill the groups of those that take too long."""
        for program, process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(program.stop_signal)
        for program, process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(program.patience)
            end_group(process)
        self.processes = []


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process that was started in a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read(address: Address, page: int) -> bytes:
    """Return the body of a page; raise OSError for anything but 200."""
    connection = HTTPConnection(*address, timeout=10)
    try:
        connection.request("GET", f"/api/v1/pages/{page}/")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"HTTP {answer.status}: {body[:200]!r}")
    return body


def run(program: Program) -> None:
    """Run a program to its end; raise NotReady with its output if it fails."""
    done = subprocess.run(
        program.command, cwd=program.directory, env=dict(program.environment),
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise NotReady(f"{' '.join(program.command)} failed:\n{done.stdout[-2000:]}")


def manage(environment: dict[str, str], *command: str) -> Program:
    """Return a command of Footfall's manage.py."""
    return service.once(environment, *command)


def peers_admin(python: Path, environment: dict[str, str], *command: str) -> Program:
    """Return a command of django-admin with the peers' settings."""
    return Program("admin", [str(python), "-m", "django", *command], ROOT, environment)


PYTHON = Path(sys.executable)

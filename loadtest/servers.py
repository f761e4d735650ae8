"""An approach as real processes: started, found ready, measured, ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

import psutil

from loadtest.approaches import Approach
from loadtest.stores import Stores
from standalone import service
from standalone.configuration import ROOT, Configuration
from standalone.program import Program

SECRET_KEY = "only-for-the-bench-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105
READY_SECONDS = 30.0
# Footfall's middleware on the way of a page, for the constant view.
MIDDLEWARE = ("django.middleware.security.SecurityMiddleware",)


class NotReady(Exception):
    """A server did not come up; the text is the end of its log."""


class Place:
    """Where a bench runs: its directory, port, stores, and the Python of the peers."""

    def __init__(self, directory: Path, port: int, stores: Stores, peers: Path) -> None:
        self.directory = directory
        self.configuration = Configuration(port=port, data_dir=directory)
        self.stores = stores
        self.peers = peers
        self.prepared_until = 0.0  # by the monotonic clock, Footfall's pages are in its cache

    @property
    def address(self) -> tuple[str, int]:
        return self.configuration.host, self.configuration.port

    def environment(self, approach: Approach, redis_number: int) -> dict[str, str]:
        given = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "EVENTLOG_", "COUNTERS_", "POSTGRES_"))
            and name not in ("CELERY_BROKER_URL", "CACHE_URL")
        }
        stores = {
            "DATABASE_URL": self.stores.database_url(approach.site),
            "REDIS_URL": self.stores.redis_url(redis_number),
        }
        settings = {"DJANGO_SECRET_KEY": SECRET_KEY, "LOG_LEVEL": "WARNING"}
        if approach.peer:
            settings |= {
                "PEER": approach.peer,
                "BENCH_MIDDLEWARE": " ".join(MIDDLEWARE),
                "DJANGO_SETTINGS_MODULE": "loadtest.peers.settings",
            }
        return service.environment(self.configuration, {**given, **settings}, stores)

    def programs(self, approach: Approach, redis_number: int) -> list[Program]:
        """Return what an approach consists of; the web server is the same for all, and last."""
        environment = self.environment(approach, redis_number)
        programs = service.programs(self.configuration, environment)
        web = next(program for program in programs if program.name == "web")
        command = [approach.application if ":" in word else word for word in web.command]
        if not approach.peer:
            others = [program for program in programs if program is not web]
            return [*others, replace(web, command=command)]
        command[0] = str(self.peers)
        celery = [command[0], "-m", "celery", "--quiet", "--app", "loadtest.peers.celery", "worker"]
        celery += ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        celery += ["--schedule", str(self.directory / f"{approach.name}-beat")]
        workers = [
            replace(web, name="worker", command=[*celery, *arguments], patience=20.0)
            for arguments in approach.workers
        ]
        return [*workers, replace(web, command=command)]


class Server:
    """The processes of one approach. Leaving the context ends every one of them."""

    def __init__(self, place: Place, programs: Sequence[Program]) -> None:
        self.place = place
        self.programs = programs
        self.processes: list[tuple[Program, subprocess.Popen[bytes]]] = []
        self.log = place.directory / "server.log"

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, names: Iterable[str] | None = None) -> None:
        """Start the programs of these names, by default all that do not run yet."""
        running = {program.name for program, _ in self.processes}
        for program in self.programs:
            if program.name not in running and (names is None or program.name in names):
                with self.log.open("ab") as log:
                    process = subprocess.Popen(
                        program.command, stdout=log, stderr=log, **program.process_options()
                    )
                self.processes.append((program, process))

    def wait_ready(self, page: int) -> bytes:
        """Return the body of a page that could be read; it counts as one view."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return read(self.place.address, page)
            except (OSError, HTTPException) as error:
                if time.monotonic() > deadline or self.ended():
                    raise NotReady(f"{error}; the log ends with:\n{self._last()}") from error
            time.sleep(0.05)

    def _last(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        noise = [program.noise for program in self.programs if program.noise]
        kept = [one for one in lines if not any(pattern.match(one) for pattern in noise)]
        return "\n".join(kept[-25:])

    def ended(self) -> bool:
        return any(process.poll() is not None for _, process in self.processes)

    def cpu_seconds(self) -> float:
        """Return the processor time of the processes, their children and the stores, so far."""
        roots = [process.pid for _, process in self.processes] + self.place.stores.pids
        return sum(map(cpu_seconds, roots))

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


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, the ended ones included."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    total = 0.0
    for process in family:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def read(address: tuple[str, int], page: int) -> bytes:
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

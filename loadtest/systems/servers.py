"""An approach as real processes: started, found ready, measured, ended."""

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from celery import Celery

from loadtest.common.launcher import NotReady, Programs
from loadtest.systems.approaches import SITES, Approach
from loadtest.systems.stores import Stores
from standalone import service
from standalone.configuration import ROOT, Configuration
from standalone.program import Program

SECRET_KEY = "only-for-the-bench-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105
# A page that was read stays cached for all of a run. In a service it does so for 4 to 5 minutes,
# and a load in which many are cached again could not be compared with the next one.
KEPT = {"COUNTERS_CACHE_SECONDS": "7200"}
Address = tuple[str, int]
# Footfall's middleware on the way of a page, for the constant view.
MIDDLEWARE = ("django.middleware.security.SecurityMiddleware",)


class Place:
    """Where a bench runs: its directory, stores, and the Python of the peers."""

    def __init__(self, directory: Path, stores: Stores, peers: Path) -> None:
        self.directory = directory
        self.log = directory / "server.log"
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
        settings |= approach.environment
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
            replace(web, name="worker", command=[*celery, *arguments], stop_timeout=20.0)
            for arguments in approach.workers
        ]

    def _footfall(self, approach: Approach, port: int) -> dict[str, Program]:
        configuration = Configuration(port=port, data_dir=self.directory)
        programs = service.programs(configuration, self.environment(approach, port))
        return {program.name: program for program in programs}


class Server(Programs):
    """The processes of some approaches."""

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
    return service.manage(environment, *command)


def peers_admin(python: Path, environment: dict[str, str], *command: str) -> Program:
    """Return a command of django-admin with the peers' settings."""
    return Program("admin", [str(python), "-m", "django", *command], ROOT, environment)


PYTHON = Path(sys.executable)

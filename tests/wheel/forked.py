"""Processes of Python that are forked from one that has loaded Django and Celery.

To load these takes a process most of its time. Nothing of a project is loaded before, nor of the
wheel: what is forked finds and reads its own.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

SERVER = """
import gc, importlib, json, os, runpy, sys

gc.disable()
for name in sys.argv[1:]:
    importlib.import_module(name)
gc.freeze()
gc.enable()
for line in sys.stdin:
    job = json.loads(line)
    if pid := job.get("wait"):
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    elif pid := os.fork():
        print(pid, flush=True)
    else:
        break
else:
    sys.exit()
for descriptor, path in enumerate((os.devnull, job["stdout"], job["stderr"])):
    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
sys.stdin = open(job["stdin"])
os.environ.clear()
os.environ.update(job["environment"])
os.chdir(job["directory"])
sys.path[1:1] = job["environment"].get("PYTHONPATH", "").split(os.pathsep)
first, *sys.argv = job["command"]
if first == "-c":
    code, sys.argv[0] = sys.argv[0], "-c"
    exec(code, {"__name__": "__main__"})
elif first == "-m":
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    sys.argv.insert(0, first)
    runpy.run_path(first, run_name="__main__")
"""
LOADED = (
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "crawleruseragents",
    "django.contrib.admin",
    "django.core.management.commands.makemigrations",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.template.backends.django",
    "django.test",
    "kombu.transport.redis",
    "prometheus_client",
    "pytest",
    "redis",
)


@dataclass
class Done:
    """What is left of a process, as `subprocess` has it."""

    returncode: int
    stdout: str
    stderr: str


class Python:
    """Runs `python` with the words of a command, as a shell would. All ends with the `with`."""

    def __enter__(self) -> Self:
        self._directory = TemporaryDirectory()
        self._numbers = count()
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *LOADED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={},
            cwd=self._directory.name,
        )
        return self

    def __exit__(self, *error: object) -> None:
        with self._server:
            pass  # it ends with its input
        self._directory.cleanup()

    def start(self, *command: str, cwd: Path, env: Mapping[str, str], text: str = "") -> "Process":
        """Start a process; `text` is what it reads."""
        files = Path(self._directory.name, str(next(self._numbers)))
        files.mkdir()
        streams = {name: str(files / name) for name in ("stdin", "stdout", "stderr")}
        Path(streams["stdin"]).write_text(text)
        pid = self.ask(command=command, directory=str(cwd), environment=dict(env), **streams)
        return Process(self, pid, files)

    def run(self, *command: str, cwd: Path, env: Mapping[str, str], text: str = "") -> Done:
        return self.start(*command, cwd=cwd, env=env, text=text).wait()

    def ask(self, **job: Any) -> int:
        """Have the server do something; return its answer."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@dataclass
class Process:
    python: Python
    pid: int
    files: Path

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> Done:
        """Wait for its end. Called once."""
        returncode = self.python.ask(wait=self.pid)
        return Done(returncode, *((self.files / name).read_text() for name in ("stdout", "stderr")))

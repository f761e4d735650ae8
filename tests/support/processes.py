"""Real processes of the service that are there at once: each is forked from one that has loaded it.

To start Python and load Django takes a process more than a second. The one that is forked from is a
server of `multiprocessing`; it starts with the first process that is asked for.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.utils.functional import empty

from footfall.conf import conf
from manage import main

LOADED = "tests.support.loaded"
SETTINGS = ("tests.settings", "project.settings", "project.backends", "project.environment")

Job = Callable[..., object]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([LOADED])


@dataclass
class Done:
    """What is left of a process, as `subprocess` has it: `returncode` is -9 after SIGKILL."""

    returncode: int
    stdout: str
    stderr: str


def start(environment: Mapping[str, str], job: Job, *arguments: Any) -> ForkServerProcess:
    """Start a process that has these variables and calls `job`, a function of a module."""
    process = _context.Process(target=_run, args=(dict(environment), job, arguments), daemon=True)
    process.start()
    return process


def run(environment: Mapping[str, str], job: Job, *arguments: Any, timeout: float = 60) -> Done:
    """Call `job` in a process that has these variables, and wait for its end.

    Raises TimeoutError after so many seconds; the process is killed then.
    """
    with TemporaryDirectory() as directory:
        files = [Path(directory, "stdout"), Path(directory, "stderr")]
        process = start(environment, _written, list(map(str, files)), job, arguments)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{job.__name__} takes longer than {timeout:g} s")
        stdout, stderr = (file.read_text() if file.exists() else "" for file in files)
        return Done(process.exitcode, stdout, stderr)


def manage(*arguments: str) -> None:
    """Do what `python manage.py` does: a job for `run` and `start`."""
    sys.argv = ["manage.py", *arguments]
    main()


def _written(files: list[str], job: Job, arguments: Any) -> None:
    """Call `job` with stdout and stderr in these files."""
    for descriptor, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    job(*arguments)


def _run(environment: dict[str, str], job: Job, arguments: Any) -> None:
    os.environ.clear()
    os.environ.update({"DJANGO_SETTINGS_MODULE": "project.settings"} | environment)
    _forget_settings()
    job(*arguments)


def _forget_settings() -> None:
    """Have Django read its settings anew, from the variables that this process has now."""
    for name in SETTINGS:
        sys.modules.pop(name, None)
    settings._wrapped = empty
    vars(conf).clear()
    handlers: tuple[Any, ...] = (connections, caches)
    for handler in handlers:
        handler._settings = None
        handler.__dict__.pop("settings", None)
        if hasattr(handler._connections, "default"):
            del handler["default"]

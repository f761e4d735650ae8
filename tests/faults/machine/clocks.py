"""The clocks of the service's processes: libfaketime reads each from a file, while it runs.

Monotonic clocks stay true. A process looks at its file once a second.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from standalone.program import Program

PROCESSES = ("web", "flusher", "worker", "redis", "postgres")
LIBRARY = "libfaketime.so.1"
VARIABLE = "FAULTS_CLOCKS"
"""The directory with the clocks, for the `standalone` of this package."""
LOOK = 1  # seconds between two looks of a process at its clock
TRUE = "+0"
# Debian's library 0.9.10 breaks time.sleep() of Python 3.11.
NOW = "import time; time.sleep(0.01); print(time.time() - {now}, time.monotonic() - {monotonic})"


def library(installed: Path) -> Path | None:
    """Return the library: from the wheel that is `installed` there, or from Debian's package."""
    if sys.platform != "linux":
        return None
    found = [*Path("/usr/lib").glob(f"*/faketime/{LIBRARY}")]
    if platform.machine() == "x86_64":  # the wheel has no other
        found = [*installed.rglob(LIBRARY), *found]
    return next(iter(found), None)


class Clocks:
    """The clocks in one directory, which every user can read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def made(cls, directory: Path, library: Path) -> Self:
        """Make a true clock for each process."""
        clocks = cls(directory)
        directory.mkdir(mode=0o755)
        shutil.copy(library, directory / LIBRARY)  # PostgreSQL's user may not reach the other
        clocks._write(PROCESSES, TRUE)
        return clocks

    def environment(self, name: str) -> Mapping[str, str]:
        """Return the variables that give a process its clock: none if it has no clock here."""
        if name not in PROCESSES:
            return {}
        return {
            "LD_PRELOAD": str(self.directory / LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.directory / name),
            "FAKETIME_CACHE_DURATION": str(LOOK),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }

    def given(self, program: Program) -> Mapping[str, str]:
        """Return the environment of a program, with its clock."""
        return {**program.environment, **self.environment(program.name)}

    @contextmanager
    def wrong(self, names: Iterable[str], seconds: float) -> Iterator[None]:
        """Set the clocks of these processes so far ahead, or back if it is negative."""
        names = tuple(names)
        self._write(names, f"{seconds:+.0f}")
        try:
            yield
        finally:
            self._write(names, TRUE)

    def _write(self, names: Iterable[str], shift: str) -> None:
        for name in names:
            fresh = self.directory / f"{name}.new"
            fresh.write_text(f"{shift}\n")
            fresh.chmod(0o644)
            fresh.replace(self.directory / name)  # no process reads half of it


def works(clocks: Clocks) -> bool:
    """Tell whether a process sees its clock here, and a true monotonic one."""
    with clocks.wrong(["web"], -86_400):
        script = NOW.format(now=time.time(), monotonic=time.monotonic())
        done = subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **clocks.environment("web")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        wall, monotonic = map(float, done.stdout.split())
    except ValueError:
        return False
    return abs(wall + 86_400) < 60 and 0 <= monotonic < 60

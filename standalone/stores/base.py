"""The base class of the two stores."""

import abc
import contextlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from standalone.program import Program, StoreError


class Store(abc.ABC):
    """A server and its directory. It can be started again after `stop` or `kill`."""

    name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sockets = directory  # or another one, if its path is too long for a socket
        self.process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make the directory ready for `program`, if it is not. Raises `StoreError`."""

    @abc.abstractmethod
    def program(self) -> Program:
        """Return the program that serves `directory` in the foreground."""

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """The address for clients; known after `prepare`."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """Return whether the server answers now."""

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> Path:
        """The output of a server that was started by `start`."""
        return self.directory / "log"

    def start(self) -> None:
        """Start the server; it ends with the calling thread (see `Program.process_options`)."""
        self.process = self.program().start(self.log)

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when the server answers. Raises `StoreError` after `timeout` seconds.

        A server that has ended is started again: after a SIGKILL, PostgreSQL refuses to start
        until the last child of the killed one has released the shared memory.
        """
        deadline = time.monotonic() + timeout
        while not self.ready():
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{self.name} is not ready after {timeout:g} s: {self._end_of_log()}"
                )
            if not self.running:
                self.start()
            time.sleep(0.02)

    @contextlib.contextmanager
    def served(self) -> Iterator[Self]:
        """Prepare the store, and serve it during the `with` block. Raises `StoreError`."""
        self.prepare()
        try:
            self.start()
            self.wait_ready()
            yield self
        finally:
            self.stop()
            self.clean_up()

    def stop(self, timeout: float = 20.0) -> None:
        """Stop the server cleanly, or kill it after `timeout` seconds."""
        if self.process is None:
            return
        self.process.send_signal(self.program().stop_signal)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the server, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def clean_up(self) -> None:
        """Remove the directory of the sockets, if it is another one."""
        if self.sockets != self.directory:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-1000:] if self.log.exists() else "no output"


def package_directory(package: str) -> Path:
    """Return the folder of an installed package. To import it would have side effects."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StoreError(
            f"The package {package} is not installed: install requirements/dev.txt, "
            "or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent

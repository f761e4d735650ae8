"""The stores of `make run`, started alone by the bench, `make faults` and the tests."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from standalone import stores
from standalone.program import Program, StoreError


def start(program: Program, log: Path, **options: Any) -> "subprocess.Popen[bytes]":
    """Start it, with its output appended to `log`; `options` are further ones of `Popen`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            program.command, stdout=output, stderr=output, **program.process_options(), **options
        )


class Store(stores.Store):
    """A store that is started here. It can be started again after `stop` or `kill`."""

    process: "subprocess.Popen[bytes] | None" = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> Path:
        """The output of a server that was started by `start`."""
        return self.directory / "log"

    def start(self) -> None:
        """Start the server; it ends with the calling thread (see `Program.process_options`)."""
        self.process = start(self.program(), self.log)

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when the server answers. Raises `StoreError` after `timeout` seconds.

        A server that has ended is started again: after a SIGKILL, PostgreSQL refuses to start
        until the last child of the killed one has released the shared memory.
        """
        deadline = time.monotonic() + timeout
        while not self.ready():
            if time.monotonic() > deadline:
                raise StoreError(f"{self.name} is not ready after {timeout:g} s: {self._tail()}")
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

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-1000:] if self.log.exists() else "no output"


class Postgres(Store, stores.Postgres):
    pass


class Redis(Store, stores.Redis):
    pass

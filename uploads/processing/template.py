"""Starts the program that forks the child processes (`uploads/child/template.py`), and asks it."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock

from uploads.child import LOAD
from uploads.processing.answers import interrupted

PROGRAM = Path(__file__).parents[1] / "child" / "template.py"
# Its whole environment: no secrets. Two malloc arenas, since each one maps 64 MB.
ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
START_SECONDS = 60.0
"""To start, and to load the libraries."""
STOP_SECONDS = 5.0
MAX_HELLO_BYTES = 64 * 1024


class Template:
    """The program, started when it is first needed, and again after its end.

    It ends with this process. A process that is forked from this one starts another.
    """

    def __init__(self, program: Path = PROGRAM) -> None:
        self._program = program
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._is_loaded = False
        self.missing: dict[str, str] = {}
        """The layers of isolation that children have not, with the reasons; see `isolation`."""
        os.register_at_fork(after_in_child=self._forget)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it unless it runs. Raises Interrupted."""
        with self._lock:
            self._connected()

    def fork(self) -> socket.socket:
        """Return a connection to a new child: it waits for its request there.

        The connection tells the child's exit code; closing it kills the child.
        Raises Interrupted.
        """
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as if_it_fails:
            if_it_fails.callback(ours.close)
            for _attempt in range(2):  # the second one with a new program
                with self._lock:
                    try:
                        socket.send_fds(self._loaded(), [b"."], [theirs.fileno()])
                    except OSError:
                        self._stop()
                    else:
                        if_it_fails.pop_all()
                        return ours
        raise interrupted("the template ends at once")

    def close(self) -> None:
        """End it, and all its children."""
        with self._lock:
            self._stop()

    def _connected(self) -> socket.socket:
        if self._socket is None or self._process is None or self._process.poll() is not None:
            self._stop()
            self._socket = self._begin()
        return self._socket

    def _loaded(self) -> socket.socket:
        """Have it load the processors, once. Raises Interrupted, OSError."""
        connected = self._connected()
        if not self._is_loaded:
            connected.sendall(LOAD)
            if not connected.recv(1):
                raise ConnectionError("it has ended")
            self._is_loaded = True
        return connected

    def _begin(self) -> socket.socket:
        self._is_loaded = False
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(self._program)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,  # no Ctrl+C of a terminal
            )
        ours.settimeout(START_SECONDS)
        try:
            with ours.makefile("rb") as reader:
                self.missing = json.loads(reader.readline(MAX_HELLO_BYTES))
        except (OSError, ValueError) as error:
            ours.close()
            self._stop()
            raise interrupted(f"the template does not start: {error!r}") from error
        return ours

    def _stop(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._socket = self._process = None

    def _forget(self) -> None:
        """Leave it to the process from which this one was forked."""
        self._lock = Lock()  # another thread may have held it
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.returncode = 0  # not this one's to wait for
        self._socket = self._process = None

"""The program that forks a child for each file, with all processors loaded before.

It sees no byte of any file. Its standard input is a socket from the worker. It first sends a line
with what `isolation.isolate` finds missing, as JSON. It is asked with `LOAD` before the first file,
loads the processors, and answers with the same byte: they take 50 MB, and most workers have no file
for a long time. Then each byte that it gets comes with a connection, from which a child reads its
request; once the child has ended, its exit code is sent there. A child is killed when its
connection is closed; all are, when the worker is gone.
"""

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from uploads.child import opened_file

opened_file.install()

from uploads.child import LOAD, isolation, processing  # noqa: E402
from uploads.processors import load_all  # noqa: E402


def main() -> None:
    """Serve the worker until it is gone."""
    with socket.socket(fileno=0) as worker:
        # A child closes all numbers below the limit one by one where the kernel cannot at once.
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1_024, hard), hard))
        worker.sendall(json.dumps(find_missing()).encode() + b"\n")
        Template(worker).serve()
    os._exit(0)  # at once


def load() -> None:
    """Load what a child needs: it can open no file."""
    load_all()
    isolation.address_space()
    isolation.empty_directory()
    gc.collect()
    gc.freeze()  # else a collection in a child would copy all of this memory


def find_missing() -> dict[str, str]:
    """Return the layers of isolation that a child has not, with the reasons."""
    reading, writing = os.pipe()
    parent = os.getpid()
    if not (pid := os.fork()):
        try:
            os.write(writing, json.dumps(isolation.isolate(parent)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as found:
        missing: dict[str, str] = json.loads(found.read())
    os.waitpid(pid, 0)
    return missing


class Template:
    """Forks children and reports how they have ended."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._children: dict[int, socket.socket] = {}
        """The connection of each child, by its process id."""
        self._events = select.poll()
        self._ended, noting = os.pipe()
        for descriptor in (self._ended, noting):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(noting)
        self._events.register(worker, select.POLLIN)
        self._events.register(self._ended, select.POLLIN)

    def serve(self) -> None:
        """Return once the worker is gone and all children were killed."""
        others = {self._worker.fileno(), self._ended}
        while True:
            # Connections first: what comes later closes and opens some, with the same numbers.
            events = sorted(self._events.poll(), key=lambda event: event[0] in others)
            for descriptor, _event in events:
                if descriptor == self._ended:
                    os.read(self._ended, 512)
                    self._bury()
                elif descriptor not in others:
                    self._end(descriptor)
                elif not self._answer():
                    for pid in self._children:
                        _kill(pid)
                    return

    def _answer(self) -> bool:
        """Do what the worker asks for next; return whether it is there."""
        byte, received, _flags, _address = socket.recv_fds(self._worker, 1, 1)
        if byte == LOAD:
            load()
            self._worker.sendall(LOAD)
        elif received:
            self._fork(socket.socket(fileno=received[0]))
        return bool(byte)

    def _fork(self, connection: socket.socket) -> None:
        """Fork a child for this connection."""
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            connection.close()  # the worker sees that there is no child
            return
        if not pid:
            self._process(connection, parent)
        self._children[pid] = connection
        self._events.register(connection, 0)  # only whether it was closed

    def _process(self, connection: socket.socket, parent: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            processing.process(connection, parent)
        finally:
            os._exit(1)  # never on into the loop above

    def _end(self, descriptor: int) -> None:
        for pid, connection in self._children.items():
            if connection.fileno() == descriptor:
                _kill(pid)
        self._events.unregister(descriptor)

    def _bury(self) -> None:
        """Report the children that have ended."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with suppress(ProcessLookupError, PermissionError):  # nothing is left of it
                os.killpg(pid, signal.SIGKILL)
            connection = self._children.pop(pid)
            with suppress(KeyError):
                self._events.unregister(connection)
            with connection, suppress(OSError):  # the worker has given it up
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _kill(pid: int) -> None:
    """Kill a child and what it has started; it may not have a group of its own yet."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()

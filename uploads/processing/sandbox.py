"""Processes files in child processes, so that a malicious file can harm nothing else."""

import atexit
import json
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from django.conf import settings
from django.utils.translation import gettext as _

from uploads.processing.answers import Interrupted, failed, interrupted, read_answer
from uploads.processing.template import Template
from uploads.processors.base import Result, Unprocessable

__all__ = ["Interrupted", "process", "start"]

MAX_RESPONSE_BYTES = 2 * 1024**2
READERS = 4
"""How many readers of the file have a position of their own."""
CRASHES = {
    *(signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS)
}

logger = logging.getLogger(__name__)
template = Template()
atexit.register(template.close)


def start() -> None:
    """Start the template, and log what of the isolation this system does not have."""
    template.start()
    if template.missing:
        lacks = "; ".join(f"{layer} ({reason})" for layer, reason in template.missing.items())
        logger.warning("Files are processed with less isolation. Missing: %s", lacks)
    else:
        logger.info("Files are processed with full isolation")


def process(path: Path, kind: str, content_type: str, seconds: float | None = None) -> Result:
    """Process the local file in a child process and return the result.

    The settings limit the child's memory and time. Processes that it started are killed with it.
    seconds: its time, if not `UPLOADS_SECONDS`.
    Raises Unprocessable, with a translated message, Interrupted, or OSError if the file cannot be
    opened.
    """
    seconds = settings.UPLOADS_SECONDS if seconds is None else seconds
    request = {
        "kind": str(kind),
        "content_type": content_type,
        "memory": settings.UPLOADS_MEMORY_BYTES,
        "seconds": settings.UPLOADS_CPU_SECONDS,
    }
    try:
        with _asked(path, request) as (connection, answer):
            deadline = time.monotonic() + seconds  # loading libraries is no part of it
            response, code = _read(answer, connection, deadline)
    except TimeoutError:
        raise Unprocessable(
            _("Processing takes more than %(seconds)d s."),
            seconds=math.ceil(seconds),
        ) from None
    if code:
        raise _exit_error(-code)
    return read_answer(response)


@contextmanager
def _asked(path: Path, request: dict[str, object]) -> Iterator[tuple[socket.socket, int]]:
    """Have a child process the file; kill it at the end.

    Yields a connection that tells its exit code, and the descriptor of its answer.
    """
    with ExitStack() as stack:
        answer, writing = os.pipe()
        stack.callback(os.close, answer)
        with ExitStack() as only_the_childs:
            only_the_childs.callback(os.close, writing)
            files = []
            for _reader in range(READERS):
                files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                only_the_childs.callback(os.close, files[-1])
            connection = stack.enter_context(template.fork())
            stack.callback(_hang_up, connection)
            with suppress(BrokenPipeError):  # it has ended; its exit code says how
                socket.send_fds(connection, [json.dumps(request).encode()], [*files, writing])
        yield connection, answer


def _hang_up(connection: socket.socket) -> None:
    """Have the template kill the child, even if a process forked meanwhile has this open, too."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _read(answer: int, connection: socket.socket, deadline: float) -> tuple[bytes, int]:
    """Return what the child has written, and how it ended: by signal `-n`, or with status `n`.

    Raises TimeoutError.
    """
    response = bytearray()
    with DefaultSelector() as selector:
        selector.register(answer, EVENT_READ)
        selector.register(connection, EVENT_READ)
        while ready := selector.select(max(0.0, deadline - time.monotonic())):
            if all(key.fd != answer for key, _events in ready):
                return bytes(response), _exit_code(connection)
            chunk = os.read(answer, 65_536)
            if not chunk:
                selector.unregister(answer)
            response += chunk
            if len(response) > MAX_RESPONSE_BYTES:
                raise failed("its response is too long")
    raise TimeoutError


def _exit_code(connection: socket.socket) -> int:
    code = connection.recv(16)
    if not code:
        raise interrupted("the template has ended, or forks no more")
    return int(code)


def _exit_error(number: int) -> Exception:
    """Return the error of a child that ended by signal `number`, or with status `-number`."""
    if number == signal.SIGXCPU:
        return Unprocessable(
            _("Processing takes more than %(seconds)d s of processor time."),
            seconds=settings.UPLOADS_CPU_SECONDS,
        )
    if number in CRASHES:
        return failed(f"it ended with {-number}")
    return interrupted(f"it ended with {-number}")

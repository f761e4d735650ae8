"""Processes files in child processes, so that a malicious file can harm nothing else."""

import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from uploads.processors.base import Result, Unprocessable, clean, clean_text

CHILD = Path(__file__).with_name("child.py")
MAX_RESPONSE_BYTES = 2 * 1024**2
# The child's whole environment: no secrets. Two malloc arenas, since each one maps 64 MB.
ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}

logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """The child ended, and not because of the file: the file can be processed again."""


def process(path: Path, kind: str, content_type: str, seconds: float | None = None) -> Result:
    """Process the local file in a child process and return the result.

    The settings limit the child's memory and time. Processes that it started are killed with it.
    seconds: its time, if not `UPLOADS_SECONDS`.
    Raises Unprocessable, with a translated message, or Interrupted.
    """
    seconds = settings.UPLOADS_SECONDS if seconds is None else seconds
    try:
        with _start(path, kind, content_type) as child:
            response = _read(child, time.monotonic() + seconds)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise Unprocessable(
            _("Processing takes more than %(seconds)d s."),
            seconds=math.ceil(seconds),
        ) from None
    if child.returncode:
        raise _exit_error(-child.returncode)
    return _parse(response)


@contextmanager
def _start(path: Path, kind: str, content_type: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the child in a session of its own; kill the whole session at the end."""
    request = {
        "path": str(path.absolute()),
        "kind": str(kind),
        "content_type": content_type,
        "parent": os.getpid(),
        "memory": settings.UPLOADS_MEMORY_BYTES,
        "seconds": settings.UPLOADS_CPU_SECONDS,
    }
    child = subprocess.Popen(
        [sys.executable, "-I", str(CHILD), json.dumps(request)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            with suppress(ProcessLookupError, PermissionError):  # none is left
                os.killpg(child.pid, signal.SIGKILL)


def _read(child: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """Return what the child writes until it ends. Raises TimeoutError or TimeoutExpired."""
    assert child.stdout is not None  # noqa: S101  # a pipe, for mypy
    response = bytearray()
    with DefaultSelector() as selector:
        selector.register(child.stdout, EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(child.stdout.fileno(), 65_536)
            if not chunk:
                child.wait(max(0.1, deadline - time.monotonic()))
                return bytes(response)
            response += chunk
            if len(response) > MAX_RESPONSE_BYTES:
                raise Unprocessable(_("The file makes its processor fail."))
    raise TimeoutError


def _exit_error(number: int) -> Exception:
    """Return the error of a child that ended by signal `number`, or with status `-number`."""
    if number == signal.SIGXCPU:
        return Unprocessable(
            _("Processing takes more than %(seconds)d s of processor time."),
            seconds=settings.UPLOADS_CPU_SECONDS,
        )
    if number in CRASHES:
        return Unprocessable(_("The file makes its processor fail."))
    return _interrupted(f"it ended with {-number}")


def _interrupted(why: str) -> Interrupted:
    logger.warning("The child process gave no result: %s", why)
    return Interrupted(_("Processing was interrupted."))


def _parse(response: bytes) -> Result:
    """Return the result in the response, which a malicious file may have forged."""
    try:
        answer: dict[str, Any] = json.loads(response)
        if "reason" in answer:
            raise Unprocessable(clean_text(_(answer["reason"]) % answer["values"]))
        if "interrupted" in answer:
            raise _interrupted(clean_text(answer["interrupted"]))
        if "failed" in answer:
            logger.warning("A file made its processor fail: %s", clean(answer["failed"]))
            raise Unprocessable(_("The file makes its processor fail."))
        return Result(
            metadata=clean(dict(answer["metadata"])),
            thumbnail=b64decode(answer["thumbnail"]) if answer["thumbnail"] else None,
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _interrupted(f"its response is invalid: {error!r}") from error

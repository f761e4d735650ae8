"""Has a file looked at by a child process, so that what is in it can harm nothing else."""

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
MOST_ANSWER_BYTES = 2 * 1024**2
# All that a child's environment has: no secrets. Two arenas, since each maps 64 MB.
ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
FAULTS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}

logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """The child was ended from outside, or it is not known why: it may be tried again."""


def process(path: Path, kind: str, content_type: str) -> Result:
    """Return what a child process finds out about the local file.

    It takes no more memory and time than the settings allow, and all that it started ends with it.
    Raises Unprocessable, with a translated message, or Interrupted.
    """
    try:
        with _started(path, kind, content_type) as child:
            answer = _read(child, time.monotonic() + settings.UPLOADS_SECONDS)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise Unprocessable(
            _("It takes more than %(seconds)d s to look at it."),
            seconds=math.ceil(settings.UPLOADS_SECONDS),
        ) from None
    if child.returncode:
        raise _ended(-child.returncode)
    return _understood(answer)


@contextmanager
def _started(path: Path, kind: str, content_type: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the child in a session of its own, and end all that is in it afterwards."""
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
    """Return what the child writes until it ends. Raises TimeoutError, TimeoutExpired."""
    assert child.stdout is not None  # noqa: S101  # a pipe, for mypy
    answer = bytearray()
    with DefaultSelector() as selector:
        selector.register(child.stdout, EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(child.stdout.fileno(), 65_536)
            if not chunk:
                child.wait(max(0.1, deadline - time.monotonic()))
                return bytes(answer)
            answer += chunk
            if len(answer) > MOST_ANSWER_BYTES:
                raise Unprocessable(_("It makes the program that looks at it fail."))
    raise TimeoutError


def _ended(number: int) -> Exception:
    """Return what to raise about a child that a signal (or else its status) has ended."""
    if number == signal.SIGXCPU:
        return Unprocessable(
            _("It takes more than %(seconds)d s of a processor's time to look at it."),
            seconds=settings.UPLOADS_CPU_SECONDS,
        )
    if number in FAULTS:
        return Unprocessable(_("It makes the program that looks at it fail."))
    return _interrupted(f"it has ended with {-number}")


def _interrupted(why: str) -> Interrupted:
    logger.warning("The child that looked at a file is no help: %s", why)
    return Interrupted(_("Looking at it was interrupted."))


def _understood(answer: bytes) -> Result:
    """Return the result that a child has written, which a hostile file may have forged."""
    try:
        told: dict[str, Any] = json.loads(answer)
        if "reason" in told:
            raise Unprocessable(clean_text(_(told["reason"]) % told["values"]))
        if "interrupted" in told:
            raise _interrupted(clean_text(told["interrupted"]))
        if "failed" in told:
            logger.warning("A file has made its processor fail: %s", clean(told["failed"]))
            raise Unprocessable(_("It makes the program that looks at it fail."))
        return Result(
            metadata=clean(dict(told["metadata"])),
            thumbnail=b64decode(told["thumbnail"]) if told["thumbnail"] else None,
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _interrupted(f"its answer is none: {error!r}") from error

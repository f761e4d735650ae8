"""Processes the files that wait. `process_next` shows the steps of one file."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePath
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _

from footfall.common.failpoints import failpoint
from footfall.eventlog import LogError
from uploads.models import File
from uploads.processing import claims, sandbox, turns
from uploads.processing.abandoned import error_after
from uploads.processing.heartbeat import check_connection, heartbeat
from uploads.processors.base import Result, Unprocessable
from uploads.queue import get_queue
from uploads.queue.events import MalformedEvent, decode
from uploads.queue.redis_queue import Entry, RedisQueue

logger = logging.getLogger(__name__)

LONGEST_OUTAGE = 60.0
"""Seconds for which a worker keeps an outcome while the database is away."""


@dataclass(frozen=True)
class Success:
    """The result of processing a file."""

    metadata: dict[str, Any]
    thumbnail: str
    """Its name in the storage; "" for none."""


class End(Enum):
    """How an attempt without a result ended."""

    FINAL = auto()
    """Another attempt would fail in the same way."""
    RETRY = auto()
    """Another attempt may succeed; there are `UPLOADS_ATTEMPTS`."""
    OUTAGE = auto()
    """Something else than the file is at fault, and for all files: no attempt is used up."""
    TOO_SLOW = auto()
    """It takes longer than a short attempt may."""


@dataclass(frozen=True)
class Failure:
    """An attempt without a result."""

    reason: str
    """Shown to users if it is final or an outage, otherwise to staff."""
    end: End = End.RETRY


class Outage(Exception):
    """The storage, or the machine, cannot do what is needed for any file; the message says what."""


def process_next() -> bool:
    """Process the file whose turn it is; return whether there was one, or an entry in the queue.

    It may run several times at once and be killed at any point: claim and result are
    compare-and-set, and a file whose heartbeat stops is due again. Entries only say that there may
    be something to do. Raises DatabaseError.
    """
    queue = get_queue()
    entry = read_entry(queue)
    failpoint("upload_read")
    with turns.places.place() as may_take_long:
        file = turns.claim_next(may_take_long=may_take_long)
        failpoint("upload_claimed")
        acknowledge(queue, entry)
        failpoint("upload_acknowledged")
        if file:
            attempt(file, None if may_take_long else settings.UPLOADS_SHORT_SECONDS)
            failpoint("upload_settled")
    return bool(file or entry)


def attempt(file: File, seconds: float | None) -> None:
    """Process a claimed file and save the outcome. seconds: for a short attempt."""
    began = time.monotonic()
    with heartbeat(file):
        outcome = process_file(file, seconds)
        failpoint("upload_thumbnail_stored")
        finish_patiently(file, outcome)
    failpoint("upload_finished")
    turns.settle(file, time.monotonic() - began)


def read_entry(queue: RedisQueue) -> Entry | None:
    """Return the first entry; None if there is none, or Redis is away: the rows say the same."""
    try:
        return queue.first()
    except LogError as error:
        logger.warning("the queue was not read: %s", error)
        return None


def acknowledge(queue: RedisQueue, entry: Entry | None) -> None:
    """Remove the entry; a malformed one becomes a dead letter.

    If Redis is away, it is read again later, and then there is nothing to do for it.
    """
    if entry is None:
        return
    try:
        try:
            decode(entry.body)
        except MalformedEvent as error:
            logger.error("entry %s is malformed: %s", entry.id, error)
            queue.move_to_dead_letters(entry, str(error))
        else:
            queue.remove(entry)
    except LogError as error:
        logger.warning("entry %s stays in the queue: %s", entry.id, error)


def process_file(file: File, seconds: float | None = None) -> Success | Failure:
    """Process the stored file in a child process and store its thumbnail.

    Every error becomes a Failure, so that it does not end the worker.
    """
    began = time.monotonic()
    try:
        with local_path(file) as path:
            result = run(path, file, seconds)
        failpoint("upload_processed")
        return Success(result.metadata, store_thumbnail(file, result))
    except Unprocessable as error:
        is_slow = seconds is not None and time.monotonic() - began >= seconds
        return Failure(str(error), End.TOO_SLOW if is_slow else End.FINAL)
    except Outage as error:
        logger.warning("file %s waits: %s", file.pk, error)
        return Failure(_("The storage is unavailable. The file waits for it."), End.OUTAGE)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


def run(path: Path, file: File, seconds: float | None) -> Result:
    """Process it in the sandbox. Raises Outage if that cannot be started, or cannot read it."""
    try:
        return sandbox.process(path, file.kind, file.content_type, seconds)
    except sandbox.Interrupted:
        check_readable(path)
        raise
    except OSError as error:
        raise Outage(f"no child process: {error}") from error


@contextmanager
def local_path(file: File) -> Iterator[Path]:
    """Yield a local path of the file: of a temporary copy if the storage is remote.

    Raises Unprocessable if the file is missing, Outage if the storage is.
    """
    try:
        path = Path(file.file.path)
    except NotImplementedError:
        with NamedTemporaryFile(prefix="footfall-") as copy:
            copy_to(copy, file)
            yield Path(copy.name)
        return
    check_readable(path)
    yield path


def copy_to(copy: Any, file: File) -> None:
    try:
        with file.file.storage.open(str(file.file), "rb") as stored:
            copyfileobj(stored, copy, 1024**2)
        copy.flush()
    except FileNotFoundError as error:
        raise Unprocessable(_("The stored file is missing.")) from error
    except Exception as error:  # depends on the storage
        raise Outage(f"the file was not read: {type(error).__name__}: {error}") from error


def check_readable(path: Path) -> None:
    try:
        with path.open("rb") as opened:
            opened.read(1)
    except FileNotFoundError as error:
        # If its folder is missing, too, the whole storage is probably not mounted.
        if path.parent.exists():
            raise Unprocessable(_("The stored file is missing.")) from error
        raise Outage(f"the folder of the file is missing: {path.parent}") from error
    except OSError as error:
        raise Outage(f"the file was not read: {error}") from error


def store_thumbnail(file: File, result: Result) -> str:
    """Store the thumbnail and return its name, which is unique to this claim; "" for none.

    Raises Outage.
    """
    if result.thumbnail is None or file.claim is None:
        return ""
    key = PurePath(str(file.file)).stem
    name = f"thumbnails/{key[:2]}/{key}-{file.claim.hex}.webp"
    try:
        return file.thumbnail.storage.save(name, ContentFile(result.thumbnail))
    except Exception as error:  # depends on the storage
        raise Outage(f"the thumbnail was not stored: {type(error).__name__}: {error}") from error


def finish_patiently(file: File, outcome: Success | Failure) -> None:
    """Save the outcome, also if the database is away for a while: the work is not done again."""
    end = time.monotonic() + LONGEST_OUTAGE
    while True:
        try:
            finish(file, outcome)
            return
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > end:
                raise
            logger.warning("the outcome of file %s is saved later: %s", file.pk, error)
        time.sleep(1)


def finish(file: File, outcome: Success | Failure) -> None:
    """Save the outcome, unless the claim is lost."""
    check_connection()  # it was idle while the file was processed
    if isinstance(outcome, Success):
        if not claims.succeed(file, outcome.metadata, outcome.thumbnail):
            discard_result(file, outcome)
    elif outcome.end is End.FINAL:
        claims.fail(file, outcome.reason)
    elif outcome.end is End.OUTAGE:
        claims.wait(file, outcome.reason)
    elif outcome.end is End.TOO_SLOW:
        claims.postpone(file)
    else:
        logger.warning("file %s, attempt %s: %s", file.pk, file.attempts, outcome.reason)
        if file.attempts < settings.UPLOADS_ATTEMPTS:
            claims.retry_later(file)
        else:
            claims.fail(file, error_after(file.attempts), outcome.reason)


def discard_result(file: File, success: Success) -> None:
    """Delete the thumbnail of a file that another worker has claimed or that was deleted."""
    logger.warning("file %s was claimed by another worker or deleted: result dropped", file.pk)
    if success.thumbnail:
        file.thumbnail.storage.delete(success.thumbnail)

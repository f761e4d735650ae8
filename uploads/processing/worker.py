"""Processes the files in the queue. `process_next` shows the steps of one file."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from footfall.common.failpoints import failpoint
from footfall.eventlog import LogError
from uploads.models import File, Status
from uploads.processing import claims, sandbox
from uploads.processing.heartbeat import check_connection, heartbeat
from uploads.processors.base import Result, Unprocessable
from uploads.queue import get_queue
from uploads.queue.events import MalformedEvent, decode
from uploads.queue.redis_queue import Delivery, RedisQueue

logger = logging.getLogger(__name__)

CONSUMER = socket.gethostname()


@dataclass(frozen=True)
class Success:
    """The result of processing a file."""

    metadata: dict[str, Any]
    thumbnail: str
    """Its name in the storage; "" for none."""


@dataclass(frozen=True)
class Failure:
    """An attempt without a result."""

    reason: str
    """Shown to users if it is final, otherwise to staff."""
    is_final: bool = False
    """Whether another attempt would fail in the same way."""


def process_next(consumer: str = CONSUMER) -> bool:
    """Process the next file; return whether there was an entry in the queue.

    It may run several times at once and be killed at any point: the claim and the result are
    compare-and-set, and the entry stays in the queue until the result is committed.
    Raises LogError or DatabaseError; then another worker claims the entry and continues.
    """
    queue = get_queue()
    delivery = read_entry(queue, consumer)
    if delivery is None:
        return False
    failpoint("upload_read")
    file = claim_file(queue, delivery)
    if file is None:
        return True
    failpoint("upload_claimed")
    with heartbeat(queue, delivery, consumer, file):
        outcome = process_file(file)
        failpoint("upload_thumbnail_stored")
    dead_reason = finish(file, outcome)
    failpoint("upload_finished")
    remove_entry(queue, delivery, dead_reason)
    failpoint("upload_removed")
    return True


def read_entry(queue: RedisQueue, consumer: str) -> Delivery | None:
    """Return an entry that a dead worker has left, or else the next waiting one."""
    return queue.claim(consumer, settings.UPLOADS_LEASE_SECONDS) or queue.read(consumer)


def claim_file(queue: RedisQueue, delivery: Delivery) -> File | None:
    """Claim the file that the entry names; None if there is nothing to process.

    Then the entry is removed, or left to the worker that is processing the file.
    """
    try:
        pk = decode(delivery.body)
    except MalformedEvent as error:
        logger.error("entry %s is malformed: %s", delivery.id, error)
        queue.move_to_dead_letters(delivery, str(error))
        return None
    file = claims.claim(pk, delivery.id)
    if file is None:
        reconcile(queue, delivery, File.objects.filter(pk=pk).first())
    return file


def reconcile(queue: RedisQueue, delivery: Delivery, file: File | None) -> None:
    """Handle an entry whose file was deleted, or is being or was processed."""
    dead_reason = ""
    if file and file.entry_id == delivery.id:  # any other entry is a second event of the file
        if file.status == Status.PROCESSING:
            if not File.objects.filter(claims.is_abandoned(), pk=file.pk).exists():
                return  # its worker is alive and will remove the entry
            dead_reason = abandon(file)
        elif file.status == Status.FAILED and file.attempts >= settings.UPLOADS_ATTEMPTS:
            dead_reason = file.error  # its worker died before it removed the entry
    remove_entry(queue, delivery, dead_reason)


def abandon(file: File) -> str:
    """Fail the attempt of a worker that died. Returns what `finish` does."""
    return finish(file, Failure("the worker died, or was killed"))


def process_file(file: File) -> Success | Failure:
    """Process the stored file in a child process and store its thumbnail.

    Every error becomes a Failure, so that it does not end the worker.
    """
    try:
        with local_path(file) as path:
            result = sandbox.process(path, file.kind, file.content_type)
        failpoint("upload_processed")
        return Success(result.metadata, store_thumbnail(file, result))
    except Unprocessable as error:
        return Failure(str(error), is_final=True)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


@contextmanager
def local_path(file: File) -> Iterator[Path]:
    """Yield a local path of the file: of a temporary copy if the storage is remote.

    Raises Unprocessable if the file is missing.
    """
    try:
        path = Path(file.file.path)
    except NotImplementedError:
        with NamedTemporaryFile(prefix="footfall-") as copy:
            try:
                with file.file.storage.open(str(file.file), "rb") as stored:
                    copyfileobj(stored, copy, 1024**2)
            except FileNotFoundError as error:
                raise Unprocessable(_("The stored file is missing.")) from error
            copy.flush()
            yield Path(copy.name)
        return
    # If its folder is missing, too, the whole storage is probably not mounted.
    if not path.exists() and path.parent.exists():
        raise Unprocessable(_("The stored file is missing."))
    yield path


def store_thumbnail(file: File, result: Result) -> str:
    """Store the thumbnail and return its name, which is unique to this claim; "" for none."""
    if result.thumbnail is None or file.claim is None:
        return ""
    key = PurePath(str(file.file)).stem
    name = f"thumbnails/{key[:2]}/{key}-{file.claim.hex}.webp"
    return file.thumbnail.storage.save(name, ContentFile(result.thumbnail))


def finish(file: File, outcome: Success | Failure) -> str:
    """Save the outcome, unless the claim is lost.

    Returns the reason for a dead letter if this was the last attempt, otherwise "".
    """
    check_connection()  # it was idle while the file was processed
    if isinstance(outcome, Success):
        if not claims.succeed(file, outcome.metadata, outcome.thumbnail):
            discard_result(file, outcome)
        return ""
    if outcome.is_final:
        claims.fail(file, outcome.reason)
        return ""
    logger.warning("file %s, attempt %s: %s", file.pk, file.attempts, outcome.reason)
    if file.attempts < settings.UPLOADS_ATTEMPTS:
        claims.retry_later(file)
        return ""
    return outcome.reason if claims.fail(file, error_after(file.attempts)) else ""


def discard_result(file: File, success: Success) -> None:
    """Delete the thumbnail of a file that another worker has claimed or that was deleted."""
    logger.warning("file %s was claimed by another worker or deleted: result dropped", file.pk)
    if success.thumbnail:
        file.thumbnail.storage.delete(success.thumbnail)


def error_after(attempts: int) -> str:
    """Return what users are told about a file that was given up."""
    text = ngettext(
        "Processing failed after %d attempt. The file itself may be fine.",
        "Processing failed after %d attempts. The file itself may be fine.",
        attempts,
    )
    return text % attempts


def remove_entry(queue: RedisQueue, delivery: Delivery, dead_reason: str) -> None:
    """Acknowledge the entry, or move it to the dead letters if there is a reason to.

    Only called after the result is committed. If Redis is away, the worker that claims the entry
    later finds the file processed.
    """
    try:
        if dead_reason:
            queue.move_to_dead_letters(delivery, dead_reason)
        else:
            queue.acknowledge(delivery)
    except LogError as error:
        logger.warning("entry %s stays in the queue: %s", delivery.id, error)

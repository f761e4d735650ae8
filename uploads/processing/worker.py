"""The processing of one file, from the queue to its result. Read `work` and you know the system."""

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
from uploads.processing.heartbeat import check_connection, kept
from uploads.processors.base import Result, Unprocessable
from uploads.queue import get_queue
from uploads.queue.events import Malformed, decode
from uploads.queue.redis_queue import Delivery, RedisQueue

logger = logging.getLogger(__name__)

CONSUMER = socket.gethostname()


class Missing(Exception):
    """The storage has no such file."""


@dataclass(frozen=True)
class Success:
    """What was found out about a file."""

    metadata: dict[str, Any]
    thumbnail: str
    """Its name in the storage; "" for none."""


@dataclass(frozen=True)
class Failure:
    """An attempt that came to no result."""

    reason: str
    """For the one who uploaded the file, or for the operator if it is tried again."""
    is_final: bool = False
    """Whether another attempt would end in the same way."""


def work(consumer: str = CONSUMER) -> bool:
    """Process the next file; return whether there was an entry to take.

    Safe to run any number of times, at once, and to be killed anywhere: the claim and the result
    are compare-and-set, and the entry stays in the queue until the result is committed.
    Raises LogError or DatabaseError; then the worker that takes the entry over goes on from there.
    """
    queue = get_queue()
    delivery = take(queue, consumer)
    if delivery is None:
        return False
    failpoint("upload_taken")
    file = claim(queue, delivery)
    if file is None:
        return True
    failpoint("upload_claimed")
    with kept(queue, delivery, consumer, file):
        outcome = examine(file)
        failpoint("upload_examined")
    gave_up = finish(file, outcome)
    failpoint("upload_finished")
    settle(queue, delivery, gave_up)
    failpoint("upload_settled")
    return True


def take(queue: RedisQueue, consumer: str) -> Delivery | None:
    """Take an entry: one that a dead worker has left, or else the next that waits."""
    return queue.take_over(consumer, settings.UPLOADS_LEASE_SECONDS) or queue.take(consumer)


def claim(queue: RedisQueue, delivery: Delivery) -> File | None:
    """Claim the file that the entry names. None if there is nothing to process: then it is dealt
    with, or left to the worker that is at it.
    """
    try:
        pk = decode(delivery.body)
    except Malformed as reason:
        logger.error("entry %s was buried: %s", delivery.id, reason)
        queue.bury(delivery, str(reason))
        return None
    claimed = claims.claim(pk, delivery.id)
    if claimed is None:
        look_into(queue, delivery, File.objects.filter(pk=pk).first())
    return claimed


def look_into(queue: RedisQueue, delivery: Delivery, file: File | None) -> None:
    """Deal with an entry whose file is not to be had: deleted, in work, done, or abandoned."""
    gave_up = ""
    if file and file.entry_id == delivery.id:  # any other entry is a second event of the file
        if file.status == Status.PROCESSING:
            if not File.objects.filter(claims.is_abandoned(), pk=file.pk).exists():
                return  # its worker lives, and acknowledges
            gave_up = abandon(file)
        elif file.status == Status.FAILED and file.attempts >= settings.UPLOADS_ATTEMPTS:
            gave_up = file.error  # its worker died before it could bury the entry
    settle(queue, delivery, gave_up)


def abandon(file: File) -> str:
    """Count the attempt of a worker that died as one that failed; as `finish`."""
    return finish(file, Failure("the worker died, or was killed"))


def examine(file: File) -> Success | Failure:
    """Process the stored file in a child process, and store its thumbnail.

    Whatever goes wrong is a Failure: it must not end the worker.
    """
    try:
        with local(file) as path:
            result = sandbox.process(path, file.kind, file.content_type)
        failpoint("upload_processed")
        return Success(result.metadata, store_thumbnail(file, result))
    except Unprocessable as reason:
        return Failure(str(reason), is_final=True)
    except Missing:
        return Failure(_("The stored file is missing."), is_final=True)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


@contextmanager
def local(file: File) -> Iterator[Path]:
    """Yield where the file lies on this machine, for as long as the body takes: a copy, if the
    storage is elsewhere. Raises Missing.
    """
    try:
        path = Path(file.file.path)
    except NotImplementedError:
        with NamedTemporaryFile(prefix="footfall-") as copy:
            try:
                with file.file.storage.open(str(file.file), "rb") as stored:
                    copyfileobj(stored, copy, 1024**2)
            except FileNotFoundError as error:
                raise Missing from error
            copy.flush()
            yield Path(copy.name)
        return
    # Without its folder, it is rather the whole storage that is not there at the moment.
    if not path.exists() and path.parent.exists():
        raise Missing
    yield path


def store_thumbnail(file: File, result: Result) -> str:
    """Store it under a name of this claim's own, so that no other worker's is in the way."""
    if result.thumbnail is None or file.claim is None:
        return ""
    key = PurePath(str(file.file)).stem
    name = f"thumbnails/{key[:2]}/{key}-{file.claim.hex}.webp"
    return file.thumbnail.storage.save(name, ContentFile(result.thumbnail))


def finish(file: File, outcome: Success | Failure) -> str:
    """Commit what has become of the file, unless the claim was lost.

    Returns why it was given up after its last attempt, for the operator; "" if it was not.
    """
    check_connection()  # it was idle for as long as the file was examined
    if isinstance(outcome, Success):
        if not claims.succeed(file, outcome.metadata, outcome.thumbnail):
            drop(file, outcome)
        return ""
    if outcome.is_final:
        claims.fail(file, outcome.reason)
        return ""
    logger.warning("file %s, attempt %s: %s", file.pk, file.attempts, outcome.reason)
    if file.attempts < settings.UPLOADS_ATTEMPTS:
        claims.put_back(file)
        return ""
    return outcome.reason if claims.fail(file, given_up(file.attempts)) else ""


def drop(file: File, success: Success) -> None:
    """Leave nothing behind of a result that came too late, or of a file that was deleted."""
    logger.warning("file %s was taken over or deleted: its result is dropped", file.pk)
    if success.thumbnail:
        file.thumbnail.storage.delete(success.thumbnail)


def given_up(attempts: int) -> str:
    """Return what a person is told about a file that could not be processed in all attempts."""
    text = ngettext(
        "Processing broke off, and was given up after %d attempt. The file itself may be fine.",
        "Processing broke off %d times and was given up. The file itself may be fine.",
        attempts,
    )
    return text % attempts


def settle(queue: RedisQueue, delivery: Delivery, gave_up: str) -> None:
    """Take the entry from the queue, to the dead letters if its file was given up.

    After the commit, never before. If it fails, the worker that takes the entry over sees what was
    done.
    """
    try:
        if gave_up:
            queue.bury(delivery, gave_up)
        else:
            queue.acknowledge(delivery)
    except LogError as error:
        logger.warning("entry %s stays in the queue: %s", delivery.id, error)

"""Keeps a file that was received: first in the storage, then as a row that says so."""

import logging

from django.db import transaction

from footfall.common.failpoints import failpoint
from uploads.models import File
from uploads.queue.outbox import publish_on_commit
from uploads.web.errors import StorageAway
from uploads.web.upload_parser import Received

logger = logging.getLogger(__name__)


def take(received: Received, owner: int | None) -> File:
    """Store the file, and return its row: then it will be processed. `owner`: an account's key.

    If it raises, there is no row, and nothing in the storage; only a failure of the commit itself
    may leave either, which the sweep finds out.
    """
    detected = received.verdict()
    file = File(
        name=received.name,
        size=received.size,
        sha256=received.hash.hexdigest(),
        content_type=detected.content_type,
        kind=detected.kind,
        owner_id=owner,
    )
    failpoint("upload_received")
    store(file, received)
    failpoint("upload_stored")
    is_committing = False
    try:
        with transaction.atomic():
            file.save()
            publish_on_commit(file)
            failpoint("upload_recorded")
            is_committing = True
    except BaseException:
        if not is_committing:
            discard(file)
        raise
    return file


def store(file: File, received: Received) -> None:
    """Move the file into the storage; a local one renames it. Raises StorageAway."""
    try:
        file.file.save(received.name, received, save=False)
    except Exception as error:  # of whichever library the storage has
        logger.warning("a file could not be stored: %s", error)
        raise StorageAway from error


def discard(file: File) -> None:
    try:
        file.file.delete(save=False)
    except Exception as error:
        logger.warning("left to the sweep in the storage: %s: %s", file.file.name, error)

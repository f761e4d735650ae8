"""Saves a received file: first in the storage, then as a row."""

import logging

from django.db import IntegrityError, transaction

from footfall.common.failpoints import failpoint
from uploads.models import File
from uploads.queue.outbox import publish_on_commit
from uploads.web import idempotency
from uploads.web.received_file import ReceivedFile, StorageUnavailable

logger = logging.getLogger(__name__)


def create_file(
    received: ReceivedFile, owner_id: int | None, sender: str = "", digest: str | None = None
) -> File:
    """Store the file and create its row, so that it will be processed.

    After an error there is neither. Only if the commit itself fails, one may be left; the hourly
    comparison (`storage.orphans`) finds it.

    digest: of an `Idempotency-Key`. If another request has used it, its file is returned.
    """
    file = File(
        name=received.name,
        size=received.size,
        sha256=received.hash.hexdigest(),
        content_type=received.detected.content_type,
        kind=received.detected.kind,
        owner_id=owner_id,
        sender=sender,
    )
    failpoint("upload_received")
    store(file, received)
    failpoint("upload_stored")
    try:
        save(file, digest)
    except IntegrityError:
        if first := idempotency.find(digest):
            return first
        raise
    return file


def save(file: File, digest: str | None) -> None:
    """Commit the row, with the key of its request. Delete the stored file if there will be none."""
    is_committing = False
    try:
        with transaction.atomic():
            file.save()
            if digest:
                idempotency.note(digest, file)
            publish_on_commit(file)
            failpoint("upload_recorded")
            is_committing = True
    except BaseException:
        if not is_committing:
            delete_stored(file)
        raise


def store(file: File, received: ReceivedFile) -> None:
    """Move the file to the storage. Raises StorageUnavailable."""
    try:
        file.file.save(received.name, received, save=False)
    except Exception as error:  # depends on the storage
        logger.warning("a file could not be stored: %s", error)
        raise StorageUnavailable from error


def delete_stored(file: File) -> None:
    try:
        file.file.delete(save=False)
    except Exception as error:
        logger.warning("%s stays in the storage for now: %s", file.file.name, error)

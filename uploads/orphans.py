"""Compares the storage with the table: stored files without a row, rows without a stored file."""

import logging
from contextlib import suppress
from datetime import timedelta

from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.translation import gettext as _

from uploads.models import File, Status
from uploads.web.received_file import INCOMING

logger = logging.getLogger(__name__)

MIN_AGE = timedelta(hours=1)  # the row of a younger file may not be committed yet
FILES, THUMBNAILS = "files", "thumbnails"
FOLDERS = [f"{number:02x}" for number in range(256)]  # as in `models.upload_path`


def compare() -> tuple[int, int]:
    """Delete files without a row, and fail rows without a file; return how many of each.

    Works folder by folder, which takes little memory for any number of files.
    """
    storage = File._meta.get_field("file").storage
    if not list_folder(storage, FILES) and File.objects.exists():
        logger.error("the storage is empty, so probably not mounted: nothing is compared")
        return 0, 0
    deleted = delete_old(storage, list_folder(storage, INCOMING))  # of killed web servers
    failed = 0
    for folder in FOLDERS:
        # Rows first: a file is stored before its row is created.
        rows = File.objects.filter(file__startswith=f"{FILES}/{folder}/")
        names = dict(rows.values_list("file", "thumbnail"))
        files = list_folder(storage, f"{FILES}/{folder}")
        thumbnails = list_folder(storage, f"{THUMBNAILS}/{folder}")
        deleted += delete_old(storage, (files | thumbnails) - names.keys() - set(names.values()))
        failed += fail_rows(storage, names.keys() - files)
    if deleted or failed:
        logger.warning("%s stored files had no row, %s rows no stored file", deleted, failed)
    return deleted, failed


def list_folder(storage: Storage, folder: str) -> set[str]:
    """Return the paths of all in a folder; nothing if there is no such folder."""
    try:
        folders, files = storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {f"{folder}/{name}" for name in (*folders, *files)}


def delete_old(storage: Storage, names: set[str]) -> int:
    """Delete the stored files that are older than `MIN_AGE`; return how many."""
    deleted = 0
    for name in names:
        with suppress(FileNotFoundError):  # deleted meanwhile together with its row
            if timezone.now() - storage.get_modified_time(name) > MIN_AGE:
                storage.delete(name)
                deleted += 1
    return deleted


def fail_rows(storage: Storage, names: set[str]) -> int:
    """Mark rows whose stored file is missing as failed; return how many. Staff can retry them."""
    missing = [name for name in names if not storage.exists(name)]
    settled = File.objects.filter(status__in=[Status.RECEIVED, Status.PROCESSED])
    return settled.filter(file__in=missing).update(
        status=Status.FAILED, error=_("The stored file is missing."), due_at=None
    )

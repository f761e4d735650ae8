"""Compares the storage with the table: stored files without a row, rows without a stored file."""

import logging
from datetime import timedelta

from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.translation import gettext as _

from uploads.models import File, Status

logger = logging.getLogger(__name__)

AGE = timedelta(hours=1)  # the row of a younger file may be yet to be committed
FILES, THUMBNAILS = "files", "thumbnails"
INCOMING = "incoming"  # where `receiving` writes, on a disk
FOLDERS = [f"{number:02x}" for number in range(256)]  # as `models.stored_as` names them


def compare() -> tuple[int, int]:
    """Remove what no row has, and fail the rows that have nothing; return how many of each.

    Folder by folder: it takes little memory, however many files there are.
    """
    storage = File._meta.get_field("file").storage
    if not listed(storage, FILES) and File.objects.exists():
        logger.error("the storage is empty: as if it were not there, so nothing is compared")
        return 0, 0
    removed = remove(storage, listed(storage, INCOMING))  # cut off: the web server was killed
    failed = 0
    for folder in FOLDERS:
        # First the rows, then what is stored: the file of a row is always stored before it.
        rows = File.objects.filter(file__startswith=f"{FILES}/{folder}/")
        names = dict(rows.values_list("file", "thumbnail"))
        files = listed(storage, f"{FILES}/{folder}")
        thumbnails = listed(storage, f"{THUMBNAILS}/{folder}")
        removed += remove(storage, (files | thumbnails) - names.keys() - set(names.values()))
        failed += fail(storage, names.keys() - files)
    if removed or failed:
        logger.warning("%s stored files had no row, %s rows no stored file", removed, failed)
    return removed, failed


def listed(storage: Storage, folder: str) -> set[str]:
    """Return the paths of what is in a folder, which need not be there."""
    try:
        folders, files = storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {f"{folder}/{name}" for name in (*folders, *files)}


def remove(storage: Storage, names: set[str]) -> int:
    """Remove stored files, but no young ones; return how many."""
    old = [name for name in names if is_old(storage, name)]
    for name in old:
        storage.delete(name)
    return len(old)


def is_old(storage: Storage, name: str) -> bool:
    try:
        return timezone.now() - storage.get_modified_time(name) > AGE
    except FileNotFoundError:  # removed meanwhile, as its row was
        return False


def fail(storage: Storage, names: set[str]) -> int:
    """Tell of rows that their stored file is missing; return of how many. They may be retried."""
    missing = [name for name in names if not storage.exists(name)]
    settled = File.objects.filter(status__in=[Status.RECEIVED, Status.PROCESSED])
    return settled.filter(file__in=missing).update(
        status=Status.FAILED, error=_("The stored file is missing."), due_at=None
    )

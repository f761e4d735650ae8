"""Compares the storage with the table: stored files without a row, rows without a stored file."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta

from django.core.files.storage import Storage
from django.db.models import F
from django.utils.translation import gettext as _

from footfall.common.chunks import chunks
from footfall.identity import MAX_STEP, Moment, moment
from uploads.models import File, Orphan, Status
from uploads.storage import trash
from uploads.storage.folders import (
    FILES,
    THUMBNAILS,
    ages,
    file_storage,
    is_empty,
    list_files,
)
from uploads.web.quotas import INCOMING

logger = logging.getLogger(__name__)

GRACE_EPOCHS = MAX_STEP + 24
"""Between the first time that a file is found without a row and the trash. A clock that jumps
advances the epoch by `MAX_STEP` at most, so it is a day at least."""
GRACE_LOOKS = 3
"""So many comparisons must have found it before."""
GRACE_AGE = timedelta(days=1)
"""By the storage's own clock."""
FOLDERS = [f"{number:02x}" for number in range(256)]  # as in `models.upload_path`
CHUNK, MAX_NAME = 500, 200


def compare() -> tuple[int, int]:
    """Move old files without a row to the trash, and fail rows without a file; return how many.

    Works folder by folder, which takes little memory for any number of files.
    """
    storage = file_storage()
    if is_empty(storage, FILES) and File.objects.exists():
        logger.error("the storage is empty, so probably not mounted: nothing is compared")
        return 0, 0
    now = moment()
    known = Known(now.epoch)
    ripe = known.note(INCOMING, list_files(storage, INCOMING))  # of killed web servers
    failed = 0
    for folder in FOLDERS:
        # Rows first: a file is stored before its row is created.
        rows = File.objects.filter(file__startswith=f"{FILES}/{folder}/")
        names = dict(rows.values_list("file", "thumbnail"))
        files = list_files(storage, f"{FILES}/{folder}")
        thumbnails = list_files(storage, f"{THUMBNAILS}/{folder}")
        ripe += known.note(f"{FILES}/{folder}", files - names.keys())
        ripe += known.note(f"{THUMBNAILS}/{folder}", thumbnails - set(names.values()))
        failed += fail_rows(storage, names.keys() - files)
    trashed = discard(storage, ripe, now) if ripe else 0
    if trashed or failed:
        logger.warning(
            "%s stored files had no row and are in the trash, %s rows no file", trashed, failed
        )
    return trashed, failed


class Known:
    """The files that were found without a row before."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        names = Orphan.objects.values_list("name", flat=True)
        self.folders = {name.rpartition("/")[0] for name in names.iterator()}

    def note(self, folder: str, orphans: Iterable[str]) -> list[str]:
        """Note which files of the folder have no row now; return those that had none for long."""
        names = sorted(name for name in orphans if len(name) <= MAX_NAME)
        if folder in self.folders:
            rows = Orphan.objects.filter(name__startswith=f"{folder}/")
            rows.exclude(name__in=names).delete()
        ripe: list[str] = []
        for some in chunks(names, CHUNK):
            ripe += self._note(some)
        return ripe

    def _note(self, names: Sequence[str]) -> list[str]:
        new = [Orphan(name=name, epoch=self.epoch) for name in names]
        Orphan.objects.bulk_create(new, ignore_conflicts=True)
        rows = Orphan.objects.filter(name__in=names)
        rows.update(seen=F("seen") + 1)
        long = rows.filter(epoch__lte=self.epoch - GRACE_EPOCHS, seen__gt=GRACE_LOOKS)
        return list(long.values_list("name", flat=True))


def discard(storage: Storage, names: Iterable[str], now: Moment) -> int:
    """Move files to the trash, unless their row is there by now; return how many."""
    age = ages(storage)
    discarded = 0
    for name in names:
        with suppress(FileNotFoundError):  # deleted meanwhile together with its row
            if age(name) >= GRACE_AGE and not File.objects.filter(file=name).exists():
                trash.discard(name, "no row", now)
                Orphan.objects.filter(name=name).delete()
                discarded += 1
    return discarded


def fail_rows(storage: Storage, names: set[str]) -> int:
    """Mark rows whose stored file is missing as failed; return how many. Staff can retry them."""
    if not names:
        return 0
    missing = [name for name in names if not storage.exists(name)]
    settled = File.objects.filter(status__in=[Status.RECEIVED, Status.PROCESSED])
    return settled.filter(file__in=missing).update(
        status=Status.FAILED, error=_("The stored file is missing."), due_at=None
    )

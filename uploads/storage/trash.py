"""The trash: a folder of the storage with what was not deleted yet, each with a manifest.

`trash/<token>.json` is the manifest, `trash/<token>.bin` the file. Both are in the storage, so that
they are there after the database was restored from a backup.
"""

import json
import logging
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from footfall.identity import HOURS_PER_DAY, Moment
from uploads.models import File, Orphan
from uploads.processing import claims
from uploads.storage.folders import TRASH, ages, delete, file_storage, list_files, move

logger = logging.getLogger(__name__)


class Trashed(NamedTuple):
    """A file in the trash."""

    token: str
    name: str
    """Its path in the storage, before and after."""
    reason: str
    epoch: int
    """When it was moved here."""
    at: str
    """The same, by the database's clock: ISO 8601."""
    row: dict[str, Any] | None
    """Fields of its row, if it had one."""

    @property
    def manifest(self) -> str:
        return f"{TRASH}/{self.token}.json"

    @property
    def content(self) -> str:
        return f"{TRASH}/{self.token}.bin"


def discard(name: str, reason: str, now: Moment, row: dict[str, Any] | None = None) -> None:
    """Move a stored file to the trash: its manifest first. Raises FileNotFoundError."""
    storage = file_storage()
    if not storage.exists(name):
        raise FileNotFoundError(name)
    trashed = Trashed(uuid.uuid4().hex, name, reason, now.epoch, now.now.isoformat(), row)
    manifest = json.dumps(trashed._asdict(), indent=1)
    storage.save(trashed.manifest, ContentFile(manifest.encode()))
    move(storage, name, trashed.content)


def contents() -> Iterator[Trashed]:
    """Yield what is in the trash, in no order. A manifest that cannot be read is left alone."""
    storage = file_storage()
    for name in list_files(storage, TRASH):
        if name.endswith(".json") and (trashed := read(storage, name)):
            yield trashed


def read(storage: Storage, name: str) -> Trashed | None:
    try:
        with storage.open(name, "rb") as opened:
            return Trashed(**json.loads(opened.read()))
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s is no manifest: %s", name, error)
        return None


def restore(trashed: Trashed) -> bool:
    """Move a file back to where it was; return False if it is not in the trash any more.

    Its row is created again, or tried again if it failed without the file. A file that has neither
    stays where it is for the same grace period as any other. Raises FileExistsError.
    """
    storage = file_storage()
    if storage.exists(trashed.name):
        raise FileExistsError(trashed.name)
    try:
        move(storage, trashed.content, trashed.name)
    except FileNotFoundError:
        return False
    delete(storage, trashed.manifest)
    Orphan.objects.filter(name=trashed.name).delete()
    rows = File.objects.filter(file=trashed.name)
    if trashed.row and not rows.exists():
        recreate(trashed.name, trashed.row)
    else:
        claims.retry_failed(rows)
    return True


def recreate(name: str, fields: dict[str, Any]) -> None:
    """Create the row again, to be processed; with its old primary key, if that is free."""
    if File.objects.filter(pk=fields["id"]).exists():
        fields = {key: value for key, value in fields.items() if key != "id"}
    uploaded_at = fields["uploaded_at"]
    file = File(file=name, **fields)
    file.save(force_insert=True)
    File.objects.filter(pk=file.pk).update(uploaded_at=uploaded_at)


def fields_of(file: File) -> dict[str, Any]:
    """Return what `recreate` needs, as JSON."""
    kept = ("id", "name", "size", "sha256", "content_type", "kind", "sender")
    fields = {key: getattr(file, key) for key in kept}
    return {**fields, "uploaded_at": file.uploaded_at.isoformat()}


def purge(now: Moment) -> int:
    """Delete for good what has been in the trash for `UPLOADS_TRASH_DAYS`; return how many files.

    So many days must have passed in epochs, and by the storage's clock.
    """
    days: int = settings.UPLOADS_TRASH_DAYS
    storage = file_storage()
    old = [one for one in contents() if now.epoch - one.epoch >= days * HOURS_PER_DAY]
    if not old:
        return 0
    age = ages(storage)
    purged = 0
    for trashed in old:
        if age(trashed.manifest) >= timedelta(days=days):
            delete(storage, trashed.content)
            delete(storage, trashed.manifest)
            purged += 1
    if purged:
        logger.warning("%s files were deleted that were in the trash for %s days", purged, days)
    return purged

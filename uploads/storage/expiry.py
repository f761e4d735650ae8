"""How long files without an owner, and keys of requests, are kept, by epochs: hours of service."""

import logging
from contextlib import suppress

from django.conf import settings
from django.db.models import QuerySet

from footfall.identity import HOURS_PER_DAY, MAX_STEP, Moment
from uploads.models import File, UploadKey
from uploads.storage import trash

logger = logging.getLogger(__name__)

CHUNK = 5_000
MAX_EXPIRED = 20_000
"""Files in one call; the next hour takes the rest."""
ACCOUNT = "u"
"""Begins `File.sender` of an account. Its files stay, also when it is deleted."""
KEEP_KEYS = HOURS_PER_DAY + MAX_STEP + 1
"""Epochs. A clock that jumps ages a key by `MAX_STEP`; it is known for a day at least."""


def note_epochs(now: Moment) -> None:
    """Note the epoch in rows that have none: new ones, and those of the version before."""
    new = File.objects.filter(epoch=None).order_by("pk")
    while pks := list(new.values_list("pk", flat=True)[:CHUNK]):
        File.objects.filter(epoch=None, pk__gte=pks[0], pk__lte=pks[-1]).update(epoch=now.epoch)


def expired(now: Moment) -> QuerySet[File]:
    """Return the files whose time is over."""
    days: int = settings.UPLOADS_ANONYMOUS_DAYS
    if not days:
        return File.objects.none()
    anonymous = File.objects.filter(owner=None).exclude(sender__startswith=ACCOUNT)
    return anonymous.filter(epoch__lte=now.epoch - days * HOURS_PER_DAY)


def expire(now: Moment) -> int:
    """Move files whose time is over to the trash and delete their rows; return how many."""
    files = list(expired(now).order_by("epoch", "pk")[:MAX_EXPIRED])
    for file in files:
        with suppress(FileNotFoundError):  # moved before this process was killed, perhaps
            trash.discard(str(file.file), "expired", now, trash.fields_of(file))
        file.delete()
    if files:
        logger.warning("%s files of no account expired and are in the trash", len(files))
    return len(files)


def forget_keys(now: Moment) -> int:
    """Delete the keys of requests that are older than a day; return how many."""
    deleted, _ = UploadKey.objects.filter(epoch__lte=now.epoch - KEEP_KEYS).delete()
    return deleted

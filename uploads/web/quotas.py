"""Refuses uploads before the disk is full, and before one client has all of it."""

import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from threading import Lock
from typing import NamedTuple

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import Count, Sum
from django.template.defaultfilters import filesizeformat
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from api.throttling import client_ip
from uploads.models import File

INCOMING = "incoming"  # the folder in the storage where bodies are received
TOTAL_SECONDS = 10.0
"""How long a process relies on the sum over all files."""
MIN_FREE_INODES = 1_000


class NoRoom(APIException):
    """There is too little space for any client's file."""

    status_code = 507
    default_detail = gettext_lazy(
        "The storage is full. Files are accepted again when there is room."
    )
    default_code = "no_room"
    wait = 60
    """Seconds, for Retry-After."""


class QuotaExceeded(APIException):
    """This client has stored as much as a client may."""

    status_code = 429
    default_code = "quota_exceeded"
    wait = 3600
    """Seconds, for Retry-After: files expire every hour."""


def sender_of(request: Request) -> str:
    """Return who sends, as in `File.sender`: the account, or a keyed hash of the address."""
    if request.user.is_authenticated:
        return f"u{request.user.pk}"
    return "a" + salted_hmac("uploads.sender", client_ip(request)).hexdigest()[:32]


def check(sender: str, size: int) -> None:
    """Raise NoRoom or QuotaExceeded if a file of this size, in bytes, is too much.

    What arrives at the same moment is not seen: together it may exceed a quota a little.
    """
    check_disk(size)
    check_total(size)
    files, stored = settings.UPLOADS_CLIENT_FILES, settings.UPLOADS_CLIENT_BYTES
    if not (files or stored):
        return
    own = File.objects.filter(sender=sender).aggregate(files=Count("pk"), bytes=Sum("size"))
    if files and own["files"] >= files:
        text = _("You have as many files as one client may store: %(files)d. Delete some first.")
        raise QuotaExceeded(text % {"files": own["files"]})
    if stored and (own["bytes"] or 0) + size > stored:
        text = _(
            "Your files would take more than the %(bytes)s that you may store. Delete some first."
        )
        raise QuotaExceeded(text % {"bytes": filesizeformat(stored)})


def check_disk(size: int = 0) -> None:
    """Raise NoRoom if too little would be free with so many bytes more.

    That is `UPLOADS_MIN_FREE_BYTES`, or a twentieth of a disk that is small: perhaps a `/tmp`.
    """
    limit: int = settings.UPLOADS_MIN_FREE_BYTES
    if limit and (disk := find_disk()) and disk.free - size < min(limit, disk.total // 20):
        raise NoRoom


def check_total(size: int) -> None:
    limit: int = settings.UPLOADS_TOTAL_BYTES
    if limit and _total.bytes() + size > limit:
        raise NoRoom


class Disk(NamedTuple):
    """A disk, in bytes."""

    free: int
    """0 if there are too few inodes."""
    total: int


def find_disk() -> Disk | None:
    """Return the disk where bodies are received, which is the storage's if that is local."""
    for folder in (path := incoming_folder(), *path.parents):
        with suppress(OSError):
            found = os.statvfs(folder)
            is_crowded = found.f_files and found.f_favail < MIN_FREE_INODES
            free = 0 if is_crowded else found.f_bavail * found.f_frsize
            return Disk(free, found.f_blocks * found.f_frsize)
    return None


def incoming_folder() -> Path:
    try:
        return Path(default_storage.path(INCOMING))
    except NotImplementedError:
        return Path(gettempdir())


class _Total:
    """The size of all files, which is summed up every `TOTAL_SECONDS`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._summed_at = float("-inf")
        self._bytes = 0

    def bytes(self) -> int:
        with self._lock:
            if time.monotonic() - self._summed_at > TOTAL_SECONDS:
                self._bytes = File.objects.aggregate(bytes=Sum("size"))["bytes"] or 0
                self._summed_at = time.monotonic()
            return self._bytes


_total = _Total()

"""A file that is being received: in the storage's own folder, if that is local."""

import os
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.utils.translation import gettext_lazy as _

from api.unavailable import Unavailable
from uploads.detection.media_type import HEAD_BYTES, Detected, detect, refuse_early
from uploads.web.quotas import INCOMING, check_disk


class StorageUnavailable(Unavailable):
    """Neither the file nor its row was saved."""

    default_detail = _("The file storage is unavailable. Try again in a moment.")
    default_code = "storage_unavailable"


class ReceivedFile(TemporaryUploadedFile):
    """A temporary file, hashed and checked while it is written. A local storage renames it.

    `close` deletes the file, unless it was renamed.
    """

    file: Any
    name: str
    size: int
    detected: Detected

    def __init__(self, name: str) -> None:
        file = NamedTemporaryFile(dir=_incoming(), suffix=".part")  # noqa: SIM115  # see `close`
        UploadedFile.__init__(self, file, name, size=0)  # Django's would make another file
        self.head = b""
        self.hash = sha256()
        self.is_complete = False

    def append(self, chunk: bytes) -> None:
        """Write the next chunk.

        Raises TypeRefused as soon as its first bytes tell, NoRoom before the disk is full.
        """
        check_disk(len(chunk))
        self.file.write(chunk)
        self.hash.update(chunk)
        self.size += len(chunk)
        if missing := HEAD_BYTES - len(self.head):
            self.head += chunk[:missing]
            if len(self.head) == HEAD_BYTES:
                refuse_early(self.head, self.name)

    def finish(self) -> None:
        """Sync the file to the disk: after the answer 201 it survives a power failure.

        Raises TypeRefused.
        """
        self.detected = detect(self.file, self.name)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)
        self.is_complete = True


def _incoming() -> Path | None:
    try:
        path = Path(default_storage.path(INCOMING))
    except NotImplementedError:
        return None
    path.mkdir(parents=True, exist_ok=True)
    return path

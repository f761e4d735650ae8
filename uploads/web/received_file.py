"""A file that is being received: in the storage's own folder, if that is local."""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from uploads.detection.content_type import HEAD_BYTES, Detected, detect

INCOMING = "incoming"  # the folder in the storage


class ReceivedFile(UploadedFile):  # type: ignore[type-arg]  # not generic at run time
    """A temporary file, hashed and checked while it is written. A local storage renames it."""

    file: Any
    name: str
    size: int

    def __init__(self, name: str) -> None:
        file = NamedTemporaryFile(dir=_incoming(), suffix=".part")  # noqa: SIM115  # see `close`
        super().__init__(file, name, size=0)
        self.head = b""
        self.hash = sha256()
        self.detected: Detected | None = None
        self.is_complete = False

    def append(self, chunk: bytes) -> None:
        """Write the next chunk. Raises TypeRefused as soon as the type is known."""
        self.file.write(chunk)
        self.hash.update(chunk)
        self.size += len(chunk)
        if missing := HEAD_BYTES - len(self.head):
            self.head += chunk[:missing]
            if len(self.head) == HEAD_BYTES:
                self.detect_type()

    def detect_type(self) -> Detected:
        """Return the type of the file. Raises TypeRefused."""
        if self.detected is None:
            self.detected = detect(self.head, self.name)
        return self.detected

    def finish(self) -> None:
        """Sync the file to the disk: after the answer 201 it survives a power failure."""
        self.detect_type()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)
        self.is_complete = True

    def temporary_file_path(self) -> str:
        """Return the path; a FileSystemStorage then renames the file instead of copying it."""
        return str(self.file.name)

    def close(self) -> None:
        """Delete the file, unless the storage has renamed it."""
        with suppress(FileNotFoundError):
            self.file.close()


def _incoming() -> Path | None:
    try:
        path = Path(default_storage.path(INCOMING))
    except NotImplementedError:
        return None
    path.mkdir(parents=True, exist_ok=True)
    return path

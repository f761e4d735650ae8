"""Folders of the storage, local or remote, and its clock."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from uploads.models import File

FILES, THUMBNAILS, TRASH = "files", "thumbnails", "trash"
CLOCK = f"{TRASH}/clock"


def file_storage() -> Storage:
    return File._meta.get_field("file").storage


def list_files(storage: Storage, folder: str) -> set[str]:
    """Return the paths of the files in a folder; none if there is no such folder."""
    return {f"{folder}/{name}" for name in _listed(storage, folder)[1]}


def is_empty(storage: Storage, folder: str) -> bool:
    """Tell whether nothing is in a folder, or whether there is none."""
    return not any(_listed(storage, folder))


def _listed(storage: Storage, folder: str) -> tuple[list[str], list[str]]:
    try:
        return storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return [], []


def ages(storage: Storage) -> Callable[[str], timedelta]:
    """Return a function that returns the age of a stored file, by the storage's own clock.

    That clock is read from a file that is stored now. The function raises FileNotFoundError.
    """
    name = storage.save(CLOCK, ContentFile(b"\n"))
    try:
        now: datetime = storage.get_modified_time(name)
    finally:
        storage.delete(name)
    return lambda name: now - storage.get_modified_time(name)


def move(storage: Storage, source: str, target: str) -> None:
    """Move a stored file: by renaming it if the storage is local. Raises FileNotFoundError."""
    try:
        old, new = Path(storage.path(source)), Path(storage.path(target))
    except NotImplementedError:
        with storage.open(source, "rb") as stored:
            storage.save(target, stored)
        storage.delete(source)
        return
    new.parent.mkdir(parents=True, exist_ok=True)
    old.replace(new)


def delete(storage: Storage, name: str) -> None:
    with suppress(FileNotFoundError):
        storage.delete(name)

"""Whether the disks that the service writes to have room."""

import errno
import os
import shutil
import time
from pathlib import Path

LEAST = 32 * 1024**2
"""Bytes: twice what PostgreSQL needs to go on, a new segment of its log."""
ERRORS = {errno.ENOSPC, errno.EDQUOT}
PAUSE = 3.0  # seconds between two tries to start


def is_full(*directories: Path) -> bool:
    """Return whether one of their disks has less than `LEAST` bytes left."""
    return any(shutil.disk_usage(_existing(one)).free < LEAST for one in directories)


def says_full(error: Exception) -> bool:
    """Return whether an error tells of a full disk: by its number, or as a store has said it."""
    if isinstance(error, OSError) and error.errno in ERRORS:
        return True
    return any(os.strerror(number) in str(error) for number in ERRORS)


def wait(directory: Path) -> None:
    """Return when there is room, after `PAUSE` seconds at least."""
    time.sleep(PAUSE)
    while is_full(directory):
        time.sleep(PAUSE)


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())

"""Footfall's own system user, for a server that refuses to run as root.

Earlier versions used `nobody`, as other programs do, which could then read the database's files.
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import time
from pathlib import Path

from standalone.program import StoreError

NAME = "footfall-store"
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
LOCK_TIMEOUT = 5.0  # seconds for which another process may be writing /etc/passwd


def uid() -> int:
    """Return the id of the system user; the first call on a machine creates it. Needs root.

    Raises `StoreError` if that is not possible.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(NAME).pw_uid
        said = _create()
        if said and time.monotonic() > deadline:
            raise StoreError(
                f"PostgreSQL refuses root, and its own system user {NAME} could not be made: "
                f"{said} Make it (useradd --system {NAME}), or do not start this as root."
            )
        time.sleep(0.1 if said else 0)


def _create() -> str:
    """Create the system user; return an error message, or ""."""
    if not (useradd := shutil.which("useradd", path=SYSTEM_PATH)):
        return "there is no useradd."
    done = subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", NAME],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return (done.stdout.strip() or f"useradd: {done.returncode}.") if done.returncode else ""


def change_owner(directory: Path, uid: int) -> None:
    """Give the owner's files in `directory` to user `uid`, and at last `directory` itself.

    So an interrupted call is repeated by the next one. The present owner may be changing files
    meanwhile: each is opened, and checked to be a file or directory of that owner.
    """
    owner = directory.stat().st_uid
    for _, _, files, opened in os.fwalk(directory, topdown=False):
        for name in files:
            with contextlib.suppress(OSError):  # sockets and links cannot be opened
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
                try:
                    _give(file, owner, uid)
                finally:
                    os.close(file)
        _give(opened, owner, uid)


def _give(opened: int, owner: int, uid: int) -> None:
    status = os.fstat(opened)
    linked_elsewhere = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
    if status.st_uid == owner and not linked_elsewhere:
        os.fchown(opened, uid, pwd.getpwuid(uid).pw_gid)

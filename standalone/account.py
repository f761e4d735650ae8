"""The system user that a server runs as which refuses root: Footfall's own, and no other program's.

It was `nobody` before, whose other programs could read the database's files. What they own is
handed over.
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import time
from pathlib import Path

NAME = "footfall-store"
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
PATIENCE = 5.0  # seconds for which another process may be writing /etc/passwd


class AccountError(Exception):
    """There is no system user to run a server as, and none could be made."""


def uid() -> int:
    """Return the id of the system user; the first call on a machine makes it. Only root may."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(NAME).pw_uid
        said = _make()
        if said and time.monotonic() > deadline:
            raise AccountError(
                f"PostgreSQL refuses root, and its own system user {NAME} could not be made: "
                f"{said} Make it (useradd --system {NAME}), or do not start this as root."
            )
        time.sleep(0.1 if said else 0)


def _make() -> str:
    """Make the system user; return what went wrong, or "" when nothing did."""
    if not (useradd := shutil.which("useradd", path=SYSTEM_PATH)):
        return "there is no useradd."
    done = subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", NAME],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return (done.stdout.strip() or f"useradd: {done.returncode}.") if done.returncode else ""


def hand_over(directory: Path, uid: int) -> None:
    """Give user `uid` what the owner of `directory` has in it, and at last `directory` itself.

    So one that was interrupted is done again. The present owner may be at work in there: whatever
    is handed over has been opened, and seen to be that user's own file or directory.
    """
    owner = directory.stat().st_uid
    for _, _, files, opened in os.fwalk(directory, topdown=False):
        for name in files:
            with contextlib.suppress(OSError):  # a socket, a link: nothing that is opened
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

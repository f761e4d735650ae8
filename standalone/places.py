"""Directories in which a store can live: reachable for its user, with room for a socket's path."""

import os
import pwd
import tempfile
from pathlib import Path

UNPRIVILEGED = "nobody"
STATE = Path("/var/lib")  # reachable for every user, and not emptied by the clock like /var/tmp
SOCKET_PATH_BYTES = 100  # `sun_path` holds 104 (macOS) to 108 bytes, the final zero included


def unprivileged_uid(directory: Path) -> int | None:
    """Return the user that a server which refuses root runs as; None is the present one.

    That is the owner of `directory` when it exists (a user's data, started by root), else nobody.
    """
    if os.geteuid() != 0:
        return None
    owner = directory.stat().st_uid if directory.exists() else 0
    return owner or pwd.getpwnam(UNPRIVILEGED).pw_uid


def own_directory(path: Path, uid: int | None) -> Path:
    """Return `path` as a directory of user `uid`, made elsewhere when that user cannot get there.

    A clone under /root stays closed: `path` is then a symbolic link to a new directory in /var/lib,
    and remembers it.
    """
    if not path.exists():
        if uid is None or reachable(path.parent, uid):
            path.mkdir(mode=0o700)  # fails on a link whose target was removed: data would be lost
        else:
            path.symlink_to(tempfile.mkdtemp(prefix="footfall-", dir=STATE))
        if uid is not None:
            os.chown(path, uid, pwd.getpwuid(uid).pw_gid)
    return path.resolve()


def reachable(path: Path, uid: int) -> bool:
    """Tell whether user `uid` may enter `path` and every directory above it."""
    gid = pwd.getpwuid(uid).pw_gid
    return all(_may_enter(directory, uid, gid) for directory in (path, *path.parents))


def _may_enter(directory: Path, uid: int, gid: int) -> bool:
    status = directory.stat()
    if status.st_uid == uid:
        bit = 0o100
    elif status.st_gid == gid:
        bit = 0o010
    else:
        bit = 0o001
    return bool(status.st_mode & bit)


def socket_directory(directory: Path, socket: str, uid: int | None) -> Path:
    """Return `directory`, or a short private one when the path of `socket` in it is too long."""
    if len(os.fsencode(directory / socket)) <= SOCKET_PATH_BYTES:
        return directory
    short = Path(tempfile.mkdtemp(prefix="footfall-", dir="/tmp"))
    if uid is not None:
        os.chown(short, uid, pwd.getpwuid(uid).pw_gid)
    return short

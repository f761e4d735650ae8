"""Directories in which a store can live: reachable for its user, with room for a socket's path."""

import os
import pwd
import tempfile
from pathlib import Path

from standalone import account

STATE = Path("/var/lib")  # reachable for every user, and not emptied by the clock like /var/tmp
SOCKET_PATH_BYTES = 100  # `sun_path` holds 104 (macOS) to 108 bytes, the final zero included


def unprivileged_uid(directory: Path) -> int | None:
    """Return the user that a server which refuses root runs as; None is the present one.

    That is whose data it is, when a user's DATA_DIR is started by root; else a system user of its
    own, also if `directory` belongs to the user nobody, as before, or to a user of another machine.
    """
    if os.geteuid() != 0:
        return None
    owner = directory.stat().st_uid if directory.exists() else 0
    if owner and owner == directory.parent.stat().st_uid and _is_user(owner):
        return owner
    return account.uid()


def _is_user(uid: int) -> bool:
    try:
        return pwd.getpwuid(uid).pw_name != "nobody"
    except KeyError:
        return False


def own_directory(path: Path, uid: int | None) -> Path:
    """Return `path` as a directory of user `uid`, made elsewhere when that user cannot get there.

    A clone under /root stays closed: `path` is then a symbolic link to a new directory in /var/lib,
    and remembers it. No other user may enter; one that belongs to another is handed over.
    """
    if not path.exists():
        if uid is None or reachable(path.parent, uid):
            path.mkdir(mode=0o700)  # fails on a link whose target was removed: data would be lost
        else:
            path.symlink_to(tempfile.mkdtemp(prefix="footfall-", dir=STATE))
    directory = path.resolve()
    if uid is not None and directory.stat().st_uid != uid:
        account.hand_over(directory, uid)
    directory.chmod(0o700)
    return directory


def write_private(path: Path, text: str) -> None:
    """Write the file `path`, readable by its owner alone; a reader sees the old or the new text."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", opener=_private) as file:
        file.write(text)
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


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

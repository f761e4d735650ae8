"""Directories for a store: reachable for its user, with a path short enough for a socket."""

import os
import pwd
import tempfile
from pathlib import Path

from standalone import system_user

STATE = Path("/var/lib")  # reachable for every user, and never cleaned up like /var/tmp
SOCKET_PATH_BYTES = 100  # `sun_path` holds 104 (macOS) to 108 bytes, the final zero included


def unprivileged_uid(directory: Path) -> int | None:
    """Return the user id for a server that refuses to run as root; None: the present user.

    If root uses the DATA_DIR of another user, it is that user. Otherwise it is a system user of its
    own, also where `directory` belongs to `nobody`, as in earlier versions, or to an unknown user.
    """
    if os.geteuid() != 0:
        return None
    owner = directory.stat().st_uid if directory.exists() else 0
    if owner and owner == directory.parent.stat().st_uid and _is_user(owner):
        return owner
    return system_user.uid()


def _is_user(uid: int) -> bool:
    try:
        return pwd.getpwuid(uid).pw_name != "nobody"
    except KeyError:
        return False


def own_directory(path: Path, uid: int | None) -> Path:
    """Return `path`, or the target of its link, as a private directory that `uid` can reach.

    Where that user cannot reach it, as in a clone under /root, `path` becomes a symbolic link to a
    new directory in /var/lib. A directory of another user changes its owner.
    """
    if not path.exists():
        if uid is None or reachable(path.parent, uid):
            path.mkdir(mode=0o700)  # fails for a link whose target is gone: its data is lost
        else:
            path.symlink_to(tempfile.mkdtemp(prefix="footfall-", dir=STATE))
    directory = path.resolve()
    if uid is not None and directory.stat().st_uid != uid:
        system_user.change_owner(directory, uid)
    directory.chmod(0o700)
    return directory


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, with mode 600."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", opener=_private) as file:
        file.write(text)
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def reachable(path: Path, uid: int) -> bool:
    """Return whether user `uid` may enter `path` and every directory above it."""
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
    """Return `directory`, or a private one in /tmp if the path of `socket` would be too long."""
    if len(os.fsencode(directory / socket)) <= SOCKET_PATH_BYTES:
        return directory
    short = Path(tempfile.mkdtemp(prefix="footfall-", dir="/tmp"))
    if uid is not None:
        os.chown(short, uid, pwd.getpwuid(uid).pw_gid)
    return short

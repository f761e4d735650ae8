"""Takes from a process what a malicious file could misuse, and limits what remains."""

import ctypes
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from uploads.child import landlock, libc, seccomp

MAX_OPEN_FILES = 64
MAX_THREADS = 32
NOBODY = 65_534
SET_PARENT_DEATH_SIGNAL, SET_NO_NEW_PRIVS = 1, 38  # of prctl
NEW_USER, NEW_NETWORK, NEW_IPC = 0x10000000, 0x40000000, 0x08000000  # of unshare
CAPABILITIES_VERSION = 0x20080522
LIBRARIES = 32 * 1024**2
"""Address space that Python and a processor's library take in any case: part of the limit."""


def limit(memory: int, seconds: int) -> None:
    """Limit memory (bytes, with the libraries of one processor) and processor time (seconds)."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    size = max(memory, address_space() + memory - LIBRARIES)
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


@cache
def address_space() -> int:
    """Return how many bytes of it this process takes; children have the answer of the template."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return 0


@cache
def empty_directory() -> int | None:
    """Return an open directory in which nothing is, and nothing can be made; None without one."""
    try:
        directory = tempfile.mkdtemp(prefix="footfall-")
    except OSError:
        return None
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.fchmod(descriptor, 0o555)
    Path(directory).rmdir()  # in a removed directory no file can be made
    return descriptor


def isolate(parent: int) -> dict[str, str]:
    """Give up, for good, all that the system lets this process give up.

    parent: the process with which this one ends. Returns the layers that are missing, each with
    the reason. Raises OSError if one fails that the system has.
    """
    missing = {}
    for name, apply in LAYERS.items():
        if name == "Landlock":  # all before it may reset what ends this process with its parent
            end_with(parent)
        try:
            apply()
        except libc.Unsupported as error:
            missing[name] = str(error)
    return missing


def leave_root() -> None:
    """Go on as `nobody` if this is root."""
    if 0 not in {os.getuid(), os.geteuid()}:
        return
    if sys.platform != "linux":
        raise libc.Unsupported(f"root stays root on {sys.platform}")
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError as error:  # a container in which there is no such user
        raise libc.Unsupported(f"root stays root: {error.strerror}") from None


def leave() -> None:
    """Go into a user namespace: the root directory is empty, and there are few threads.

    Without a filter of system calls, also into a network without any interface.
    """
    flags = NEW_USER
    try:
        seccomp.architecture()
    except libc.Unsupported:
        flags |= NEW_NETWORK | NEW_IPC
    directory = empty_directory()
    if directory is None:
        raise libc.Unsupported("no temporary directory")
    try:
        libc.call("unshare", flags)
        os.fchdir(directory)
        os.chroot(".")
    except OSError as error:  # Docker's default, and some distributions, do not allow it
        raise libc.Unsupported(error.strerror or str(error)) from None
    finally:
        os.close(directory)
    # Counted by namespace: elsewhere it would count all that the user runs.
    resource.setrlimit(resource.RLIMIT_NPROC, (MAX_THREADS, MAX_THREADS))


def drop_capabilities() -> None:
    """Drop what root has without its name, and gain no rights by programs."""
    if sys.platform != "linux":
        raise libc.Unsupported(f"no capabilities on {sys.platform}")
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    libc.call("capset", header, (ctypes.c_uint32 * 6)())
    libc.call("prctl", SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        libc.call("prctl", SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


LAYERS: dict[str, Callable[[], None]] = {
    "unprivileged user": leave_root,
    "user namespace": leave,
    "dropped privileges": drop_capabilities,
    "Landlock": landlock.restrict,
    "seccomp": seccomp.restrict,
}
"""By their names in the log. Each raises Unsupported where the system does not have it."""

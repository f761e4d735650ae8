"""No access to files, TCP and other processes, by Landlock (Linux 5.13 and later)."""

import ctypes
import os

from uploads.child import libc

CREATE_RULESET, RESTRICT_SELF = 444, 446  # the numbers of all architectures
ASK_VERSION = 1
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights to files each version of the ABI knows; later ones know no more."""
TCP_SINCE = 4
TCP = 0b11  # bind, connect
SCOPE_SINCE = 6
SCOPE = 0b11  # abstract Unix sockets, signals


class Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`."""

    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scope", ctypes.c_uint64),
    ]


def version() -> int:
    """Return the version of the ABI. Raises Unsupported if there is none."""
    try:
        return libc.call("syscall", CREATE_RULESET, None, 0, ASK_VERSION)
    except OSError as error:
        raise libc.Unsupported(f"{error.strerror}") from None


def restrict() -> None:
    """Give up all that Landlock can take, for good. Raises Unsupported, or OSError."""
    abi = version()
    ruleset = Ruleset(
        files=(1 << FILE_RIGHTS[min(abi, max(FILE_RIGHTS))]) - 1,
        network=TCP if abi >= TCP_SINCE else 0,
        scope=SCOPE if abi >= SCOPE_SINCE else 0,
    )
    # An older kernel refuses a longer structure only if what it does not know is not zero.
    size = ctypes.sizeof(ruleset)
    descriptor = libc.call("syscall", CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    try:
        libc.call("syscall", RESTRICT_SELF, descriptor, 0)
    finally:
        os.close(descriptor)

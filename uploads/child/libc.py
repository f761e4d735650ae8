"""Calls of the C library that Python does not have."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)


class Unsupported(Exception):
    """This system cannot do it, or forbids it; the message says why."""


def call(name: str, *arguments: object) -> int:
    """Call a function whose result is negative if it fails; integers are passed as `long`.

    Raises OSError, or Unsupported if the C library has no such function.
    """
    function = getattr(_libc, name, None)
    if function is None:
        raise Unsupported(f"no {name}() in the C library")
    longs = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    function.restype = ctypes.c_long if name == "syscall" else ctypes.c_int
    result: int = function(*longs)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result

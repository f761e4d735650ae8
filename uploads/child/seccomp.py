"""A filter of system calls, by seccomp (Linux, on x86_64 and aarch64).

It allows what works on memory, threads, clocks and open files. All others fail with EACCES: those
that open, rename or only name a file; sockets; processes and signals to them; programs.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass

from uploads.child import libc

SET_SECCOMP, MODE_FILTER = 22, 2  # of prctl
LOAD, AND, EQUAL, GREATER_EQUAL, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # instructions
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in `struct seccomp_data`
ALL = 0xFFFFFFFF
X32 = 0x40000000
"""The numbers of another ABI of x86_64 begin here."""

PROT_EXEC = 4
THREAD = 0x00010900  # CLONE_VM, CLONE_SIGHAND, CLONE_THREAD
NO_THREAD = 0x7E026000  # CLONE_VFORK, CLONE_PTRACE, new namespaces
EMPTY_PATH = 0x1000
NEGATIVE = 0x80000000
DUPLICATE, GET_FLAGS, SET_FLAGS, GET_STATUS, DUPLICATE_CLOSED = 0, 1, 2, 3, 1030  # of fcntl

NUMBERS = {
    # name: (x86_64, aarch64)
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "clone": (56, 220),
    "exit": (60, 93),
    "fcntl": (72, 25),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "times": (100, 153),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "tgkill": (234, 131),
    "newfstatat": (262, 79),
    "set_robust_list": (273, 99),
    "preadv": (295, 69),
    "prlimit64": (302, 261),
    "getrandom": (318, 278),
    "rseq": (334, 293),
    "clone3": (435, 435),
}
"""All that is allowed, some of it only with the arguments of `conditions`."""
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""The column of `NUMBERS`, and the kernel's name."""


@dataclass(frozen=True)
class Is:
    """A condition: these 32 bits of an argument, under the mask, have this value."""

    argument: int
    value: int
    mask: int = ALL
    high: bool = False


def conditions(pid: int) -> dict[str, list[list[Is]]]:
    """Return for a system call the alternatives, each of which allows it if all of it is so."""
    commands = (DUPLICATE, GET_FLAGS, SET_FLAGS, GET_STATUS, DUPLICATE_CLOSED)
    named_by_descriptor = [Is(0, 0, NEGATIVE), Is(3, EMPTY_PATH, EMPTY_PATH)]
    return {
        "mmap": [[Is(2, 0, PROT_EXEC)]],
        "mprotect": [[Is(2, 0, PROT_EXEC)]],
        "clone": [[Is(0, THREAD, THREAD | NO_THREAD)]],
        "fcntl": [[Is(1, command)] for command in commands],
        "sched_getaffinity": [[Is(0, 0)]],
        "tgkill": [[Is(0, pid)]],
        "prlimit64": [[Is(0, 0), Is(2, 0), Is(2, 0, high=True)]],  # only reads, its own
        "newfstatat": [named_by_descriptor] if fstat_needs_name() else [],
    }


def fstat_needs_name() -> bool:
    """Return whether the C library has no `fstat` but that of an empty name (glibc 2.33 to 2.38).

    No filter sees whether the name is empty; `isolation.leave` leaves nothing that has one.
    """
    try:
        _name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return (2, 33) <= tuple(map(int, version.split(".")[:2])) < (2, 39)
    except ValueError:  # not glibc
        return False


def architecture() -> tuple[int, int]:
    """Return what `ARCHITECTURES` has of this machine. Raises Unsupported."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ARCHITECTURES or sys.maxsize < 2**32:
        raise libc.Unsupported(f"no filter for {sys.platform} on {machine}")
    return ARCHITECTURES[machine]


def program(column: int, name: int, pid: int) -> list[bytes]:
    """Return the instructions of the filter for a process."""
    rules = conditions(pid)
    made = [
        _step(LOAD, ARCHITECTURE),
        _step(EQUAL, name, 1, 0),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER),
        _step(GREATER_EQUAL, X32, 0, 1),
        _step(RETURN, FAIL | errno.EACCES),
    ]
    for call, numbers in NUMBERS.items():
        if call == "clone3":  # its flags are in memory; the C library takes `clone` then
            body = [_step(RETURN, FAIL | errno.ENOSYS)]
        elif call in rules:
            body = _checks(rules[call])
        else:
            body = [_step(RETURN, ALLOW)]
        made += [_step(EQUAL, numbers[column], 0, len(body)), *body]
    return [*made, _step(RETURN, FAIL | errno.EACCES)]


def _checks(alternatives: list[list[Is]]) -> list[bytes]:
    made = []
    for alternative in alternatives:
        left = 3 * len(alternative) + 1  # up to its end
        for each in alternative:
            left -= 3
            word = ARGUMENTS + 8 * each.argument + 4 * each.high
            made += [_step(LOAD, word), _step(AND, each.mask), _step(EQUAL, each.value, 0, left)]
        made.append(_step(RETURN, ALLOW))
    return [*made, _step(RETURN, FAIL | errno.EACCES)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def restrict() -> None:
    """Filter the system calls of this process, for good. Raises Unsupported, or OSError.

    It has one thread, and NO_NEW_PRIVS is set.
    """
    steps = program(*architecture(), os.getpid())
    prepared = Program(len(steps), b"".join(steps))
    try:
        libc.call("prctl", SET_SECCOMP, MODE_FILTER, ctypes.byref(prepared), 0, 0)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOSYS, errno.EPERM}:  # built without, or forbidden
            raise libc.Unsupported(str(error.strerror)) from None
        raise

"""Each layer of isolation, without the others; `processing/test_attacks.py` has them together."""

import os
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from uploads.child import isolation, landlock, libc, seccomp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these")

SECRET = "/etc/passwd"


def in_a_fork(layers: list[Callable[[], None]], act: Callable[[], object]) -> str:
    """Return the class of the error that `act` raises in a process with these layers.

    Skips the test if this kernel does not have one of them.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            for apply in layers:
                apply()
            act()
            os.write(writing, b"done")
        except BaseException as error:
            os.write(writing, f"{type(error).__name__} {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as result:
        found = result.read()
    os.waitpid(pid, 0)
    if found.startswith("Unsupported"):
        pytest.skip(f"this system does not have it: {found}")
    return found.split()[0]


def connect() -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", 1))


def signal_parent() -> None:
    os.kill(os.getppid(), 0)


NO_RIGHTS = [isolation.leave_root, isolation.drop_capabilities]
LANDLOCK = [*NO_RIGHTS, landlock.restrict]
SECCOMP = [*NO_RIGHTS, seccomp.restrict]
NAMESPACE = [isolation.leave_root, isolation.leave, isolation.drop_capabilities]


@pytest.mark.parametrize(
    ("layers", "error"),
    [(LANDLOCK, "PermissionError"), (SECCOMP, "PermissionError"), (NAMESPACE, "FileNotFoundError")],
    ids=["Landlock", "seccomp", "namespace"],
)
def test_each_layer_alone_keeps_files_closed(layers: list[Callable[[], None]], error: str) -> None:
    assert in_a_fork([], lambda: Path(SECRET).read_bytes()) == "done"
    assert in_a_fork(layers, lambda: Path(SECRET).read_bytes()) == error
    assert in_a_fork(layers, lambda: os.listdir("/proc")) == error  # noqa: PTH208


def test_landlock_connects_nowhere_and_signals_nothing() -> None:
    assert in_a_fork([], connect) == "ConnectionRefusedError"
    if landlock_version() < landlock.SCOPE_SINCE:
        pytest.skip("this Landlock knows no TCP or no signals")
    assert in_a_fork(LANDLOCK, connect) == "PermissionError"
    assert in_a_fork([landlock.restrict], signal_parent) == "PermissionError"


def landlock_version() -> int:
    with suppress(libc.Unsupported):
        return landlock.version()
    return 0


def test_without_a_filter_a_namespace_has_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def lack() -> None:
        raise libc.Unsupported("taken away")

    monkeypatch.setattr(seccomp, "architecture", lack)

    assert in_a_fork(NAMESPACE, connect) == "OSError"  # the network is unreachable


def test_a_process_of_root_is_nobody_and_has_no_capability() -> None:
    def act() -> None:
        status = Path("/proc/self/status").read_text()
        lines = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
        assert {int(lines[f"Cap{each}"], 16) for each in ("Inh", "Prm", "Eff", "Amb")} == {0}
        assert lines["NoNewPrivs"] == "1"
        assert "0" not in lines["Uid"].split()
        assert "0" not in lines["Gid"].split()
        assert not lines["Groups"].split()

    if os.getuid():
        pytest.skip("only for root")
    assert in_a_fork(NO_RIGHTS, act) == "done"


# The filter of the other architecture is run by hand, since no kernel here has it.

DENIED = {"socket": 198, "openat": 56, "kill": 129, "execve": 221, "ptrace": 117, "mount": 40}
"""Numbers of aarch64."""


def run(number: int, *arguments: int, arch: int = 0xC00000B7) -> int:
    """Return what the filter of aarch64 for process 7 says of a system call."""
    data = struct.pack(
        "<IIQ6Q",
        number,
        arch,
        0,
        *(each % 2**64 for each in arguments),
        *[0] * (6 - len(arguments)),
    )
    program = [struct.unpack("<HBBI", step) for step in seccomp.program(1, 0xC00000B7, 7)]
    at = loaded = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case seccomp.LOAD:
                (loaded,) = struct.unpack_from("<I", data, value)
            case seccomp.AND:
                loaded &= value
            case seccomp.EQUAL:
                at += if_true if loaded == value else if_false
            case seccomp.GREATER_EQUAL:
                at += if_true if loaded >= value else if_false
            case seccomp.RETURN:
                return int(value)
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize("name", DENIED)
def test_the_filter_of_aarch64_refuses(name: str) -> None:
    assert run(DENIED[name]) == seccomp.FAIL | 13


def test_the_filter_of_aarch64_allows_only_with_harmless_arguments() -> None:
    failed = seccomp.FAIL | 13
    clone, mmap, fcntl, tgkill, prlimit = 220, 222, 25, 131, 261

    assert run(63) == run(64) == seccomp.ALLOW  # read, write
    assert run(63, arch=0xC000003E) == seccomp.KILL
    assert run(435) == seccomp.FAIL | 38  # clone3
    assert run(clone, 0x3D0F00) == seccomp.ALLOW  # as glibc starts a thread
    assert run(clone, 17) == run(clone, 0x3D0F00 | 0x10000000) == failed
    assert run(mmap, 0, 4096, 3) == seccomp.ALLOW
    assert run(mmap, 0, 4096, 7) == failed
    assert run(fcntl, 3, 3) == seccomp.ALLOW
    assert run(fcntl, 3, 8, 1) == failed  # F_SETOWN
    assert run(tgkill, 7, 7, 6) == seccomp.ALLOW
    assert run(tgkill, 8, 8, 6) == failed
    assert run(prlimit, 0, 7, 0, 1) == seccomp.ALLOW
    assert run(prlimit, 0, 7, 2**32) == run(prlimit, 1, 7, 0) == failed

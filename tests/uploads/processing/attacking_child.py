"""A template whose processor was taken over: it attacks in every way there is.

Its file is JSON with what to attack; see `Target`. An attack that fails raises an exception.
"""

import ctypes
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread, stack_size
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from uploads.child import processing, template
from uploads.processors.base import Processor, Result

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
X32 = 0x40000000
X86_64 = platform.machine() == "x86_64"
NUMBERS = {
    # name: (x86_64, aarch64)
    "openat": (257, 56),
    "openat2": (437, 437),
    "name_to_handle_at": (303, 264),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434),
    "kcmp": (312, 272),
    "rt_sigqueueinfo": (129, 138),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execveat": (322, 281),
    "memfd_create": (319, 279),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "mount": (165, 40),
    "fsopen": (430, 430),
    "move_mount": (429, 429),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "init_module": (175, 105),
    "syslog": (103, 116),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "personality": (135, 92),
    "shmget": (29, 194),
    "mq_open": (240, 180),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "getpid": (39, 172),
}


@dataclass(frozen=True)
class Target:
    worker: int
    redis: str | list[Any]
    database: str | None
    stored: str
    """A file of the storage."""
    folder: str
    secret: str


ATTACKS: dict[str, Callable[[Target, Path], object]] = {}


def attack(function: Callable[[Target, Path], object]) -> Callable[[Target, Path], object]:
    ATTACKS[function.__name__] = function
    return function


def call(name: str, *arguments: Any, offset: int = 0) -> int:
    """Make a system call, past the C library. Raises OSError."""
    longs = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    number = NUMBERS[name][0 if X86_64 else 1] + offset
    libc.syscall.restype = ctypes.c_long
    result: int = libc.syscall(ctypes.c_long(number), *longs)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def simple(name: str, *arguments: Any, offset: int = 0) -> None:
    ATTACKS[f"{name}, with {offset}" if offset else name] = lambda _target, _path: call(
        name, *arguments, offset=offset
    )


def forked(pid: int) -> int:
    """End the new process, if this is it."""
    if not pid:
        os._exit(0)
    return pid


# Files


@attack
def read_a_file_of_the_system(target: Target, path: Path) -> object:
    return Path("/etc/passwd").read_bytes()


@attack
def read_it_past_python(target: Target, path: Path) -> object:
    return call("openat", AT_FDCWD, b"/etc/passwd", os.O_RDONLY)


@attack
def read_it_by_another_call(target: Target, path: Path) -> object:
    return call("openat2", AT_FDCWD, b"/etc/passwd", (ctypes.c_uint64 * 3)(), 24)


@attack
def read_its_own_file_by_its_real_name(target: Target, path: Path) -> object:
    return call("openat", AT_FDCWD, target.stored.encode(), os.O_RDONLY)


@attack
def read_the_secret_of_the_worker(target: Target, path: Path) -> object:
    return Path(f"/proc/{target.worker}/environ").read_bytes()


@attack
def read_the_memory_of_the_worker(target: Target, path: Path) -> object:
    return Path(f"/proc/{target.worker}/mem").open("rb")


@attack
def read_the_environment_of_the_template(target: Target, path: Path) -> object:
    return Path(f"/proc/{os.getppid() or 1}/environ").read_bytes()


@attack
def read_what_the_kernel_tells_of_itself(target: Target, path: Path) -> object:
    return Path("/proc/self/maps").read_bytes()


@attack
def find_the_secret_in_itself(target: Target, path: Path) -> object:
    known = [*os.environ.values(), *sys.argv]
    if any(target.secret in value for value in known) or "django" in sys.modules:
        return "found"
    raise LookupError("not found")


@attack
def see_a_file(target: Target, path: Path) -> object:
    return os.stat("/etc/passwd")  # noqa: PTH116


@attack
def see_a_file_past_python(target: Target, path: Path) -> object:
    buffer = ctypes.create_string_buffer(256)
    return call("newfstatat", 3, b"/etc/passwd", buffer, AT_EMPTY_PATH)


@attack
def see_a_process(target: Target, path: Path) -> object:
    buffer = ctypes.create_string_buffer(256)
    return call("newfstatat", 3, f"/proc/{target.worker}".encode(), buffer, AT_EMPTY_PATH)


@attack
def list_the_processes(target: Target, path: Path) -> object:
    return os.listdir("/proc")  # noqa: PTH208


@attack
def list_the_root(target: Target, path: Path) -> object:
    return os.listdir("/")  # noqa: PTH208


@attack
def list_its_descriptors(target: Target, path: Path) -> object:
    return os.listdir("/proc/self/fd")  # noqa: PTH208


@attack
def learn_its_directory(target: Target, path: Path) -> object:
    return Path.cwd()


@attack
def find_another_descriptor(target: Target, path: Path) -> object:
    """It has its file, only to be read, nothing three times, and a pipe for the answer."""
    found = []
    for number in range(1024):
        try:
            kind = stat.S_IFMT(os.fstat(number).st_mode)
        except OSError:
            continue
        is_written = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
        is_known = (
            (kind == stat.S_IFREG and not is_written)
            or (kind == stat.S_IFCHR and number < 3)
            or (kind == stat.S_IFIFO and is_written)
        )
        found += [] if is_known else [(number, oct(kind))]
    if found:
        return found
    raise LookupError("none")


@attack
def write_a_file(target: Target, path: Path) -> object:
    return Path(target.folder, "written").write_text("something")


@attack
def write_to_tmp(target: Target, path: Path) -> object:
    return call("openat", AT_FDCWD, b"/tmp/footfall-attack", os.O_RDWR | os.O_CREAT, 0o600)


@attack
def overwrite_its_file(target: Target, path: Path) -> object:
    return call("openat", AT_FDCWD, target.stored.encode(), os.O_WRONLY | os.O_TRUNC)


@attack
def write_into_its_descriptor(target: Target, path: Path) -> object:
    return os.pwrite(3, b"something", 0)


@attack
def cut_its_descriptor(target: Target, path: Path) -> None:
    os.ftruncate(3, 0)


@attack
def map_its_file_for_writing(target: Target, path: Path) -> object:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE)


@attack
def rename(target: Target, path: Path) -> object:
    return Path(target.stored).rename(f"{target.stored}-renamed")


@attack
def delete(target: Target, path: Path) -> None:
    Path(target.stored).unlink()


@attack
def link(target: Target, path: Path) -> None:
    Path(target.folder, "link").hardlink_to(target.stored)


@attack
def link_symbolically(target: Target, path: Path) -> None:
    Path(target.folder, "symlink").symlink_to("/etc/passwd")


@attack
def make_a_folder(target: Target, path: Path) -> None:
    Path(target.folder, "made").mkdir()


@attack
def change_rights(target: Target, path: Path) -> None:
    os.fchmod(3, 0o777)


@attack
def change_rights_by_name(target: Target, path: Path) -> None:
    Path(target.stored).chmod(0o777)


@attack
def change_times(target: Target, path: Path) -> None:
    os.utime(target.stored)


@attack
def make_a_device(target: Target, path: Path) -> None:
    os.mknod(f"{target.folder}/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))


@attack
def change_the_root(target: Target, path: Path) -> None:
    os.chroot("/proc/1/root")


@attack
def change_the_directory(target: Target, path: Path) -> None:
    os.chdir("/")


# Network


@attack
def make_a_socket(target: Target, path: Path) -> object:
    return socket.socket(socket.AF_INET)


@attack
def make_a_datagram_socket(target: Target, path: Path) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@attack
def make_a_socket_of_another_family(target: Target, path: Path) -> object:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


@attack
def make_a_pair_of_sockets(target: Target, path: Path) -> object:
    return socket.socketpair()


@attack
def connect_to_redis(target: Target, path: Path) -> None:
    connect(target.redis)


@attack
def open_the_socket_of_the_database(target: Target, path: Path) -> None:
    connect(target.database or "/nowhere")


def connect(address: str | list[Any]) -> None:
    if isinstance(address, str):
        socket.socket(socket.AF_UNIX).connect(address)
    else:
        socket.socket().connect(tuple(address))


# Processes


@attack
def signal_the_worker(target: Target, path: Path) -> None:
    os.kill(target.worker, 0)


@attack
def signal_the_template(target: Target, path: Path) -> None:
    os.kill(os.getppid() or 1, 0)


@attack
def signal_everything(target: Target, path: Path) -> None:
    os.kill(-1, 0)


@attack
def signal_a_thread_of_the_worker(target: Target, path: Path) -> object:
    if libc.tgkill(target.worker, target.worker, 0):
        raise OSError(ctypes.get_errno(), "tgkill")
    return "signalled"


@attack
def have_the_kernel_signal_the_worker(target: Target, path: Path) -> None:
    fcntl.fcntl(3, fcntl.F_SETOWN, target.worker)


@attack
def trace_the_worker(target: Target, path: Path) -> object:
    return call("ptrace", 16, target.worker, 0, 0)  # PTRACE_ATTACH


@attack
def read_the_memory_of_the_worker_at_once(target: Target, path: Path) -> object:
    return call("process_vm_readv", target.worker, None, 0, None, 0, 0)


@attack
def take_hold_of_the_worker(target: Target, path: Path) -> object:
    return call("pidfd_open", target.worker, 0)


@attack
def lower_the_priority_of_the_worker(target: Target, path: Path) -> None:
    os.setpriority(os.PRIO_PROCESS, target.worker, 19)


@attack
def move_the_worker_to_a_processor(target: Target, path: Path) -> None:
    os.sched_setaffinity(target.worker, {0})


@attack
def see_the_processors_of_the_worker(target: Target, path: Path) -> object:
    return os.sched_getaffinity(target.worker)


@attack
def limit_the_worker(target: Target, path: Path) -> object:
    return resource.prlimit(target.worker, resource.RLIMIT_NOFILE)


@attack
def queue_a_signal(target: Target, path: Path) -> object:
    return call("rt_sigqueueinfo", target.worker, 0, ctypes.create_string_buffer(128))


@attack
def fork(target: Target, path: Path) -> object:
    return forked(os.fork())


@attack
def fork_by_the_newer_call(target: Target, path: Path) -> object:
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = signal.SIGCHLD
    return forked(call("clone3", arguments, 88))


@attack
def fork_into_a_namespace(target: Target, path: Path) -> object:
    return forked(call("clone", 0x10000000 | signal.SIGCHLD, None, None, None, None))


@attack
def start_a_program(target: Target, path: Path) -> object:
    return subprocess.run(["/bin/true"], check=True)


@attack
def spawn_a_program(target: Target, path: Path) -> object:
    return os.posix_spawn("/bin/true", ["true"], {})


@attack
def become_a_program(target: Target, path: Path) -> object:
    return os.execv("/bin/true", ["true"])  # noqa: S606


@attack
def become_its_file(target: Target, path: Path) -> object:
    return call("execveat", 3, b"", None, None, AT_EMPTY_PATH)


@attack
def start_threads_without_end(target: Target, path: Path) -> object:
    stack_size(64 * 1024)  # so that memory does not end it
    done = Event()
    threads = []
    try:
        for _ in range(64):
            threads.append(Thread(target=done.wait, daemon=True))
            threads[-1].start()
    finally:
        done.set()
    return len(threads)


# Rights


@attack
def become_root(target: Target, path: Path) -> None:
    os.setuid(0)


@attack
def raise_its_limits(target: Target, path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (3_600, 3_600))


@attack
def raise_its_priority(target: Target, path: Path) -> object:
    return os.nice(-10)


@attack
def run_what_it_has_written(target: Target, path: Path) -> object:
    return mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


@attack
def make_memory_a_program(target: Target, path: Path) -> object:
    memory = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if libc.mprotect(ctypes.c_void_p(address), 4096, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "mprotect")
    return "made"


@attack
def put_something_into_a_terminal(target: Target, path: Path) -> object:
    return fcntl.ioctl(0, 0x5412, b"x")  # TIOCSTI


simple("statx", AT_FDCWD, b"/etc/passwd", 0, 0x7FF, ctypes.create_string_buffer(256))
simple("readlinkat", AT_FDCWD, b"/proc/self/exe", ctypes.create_string_buffer(256), 256)
simple("faccessat", AT_FDCWD, b"/etc/passwd", 0)
simple("name_to_handle_at", AT_FDCWD, b"/etc", ctypes.create_string_buffer(256), None, 0)
simple("kcmp", 1, 1, 0, 0, 0)
simple("memfd_create", b"program", 0)
simple("add_key", b"user", b"name", b"value", 5, -3)
simple("keyctl", 0, -3, 1)
simple("io_uring_setup", 1, ctypes.create_string_buffer(128))
simple("bpf", 0, ctypes.create_string_buffer(128), 128)
simple("perf_event_open", ctypes.create_string_buffer(128), 0, -1, -1, 0)
simple("userfaultfd", 1)
simple("mount", b"none", b"/", b"tmpfs", 0, None)
simple("fsopen", b"tmpfs", 0)
simple("move_mount", -1, b"", -1, b"", 0)
simple("pivot_root", b"/", b"/")
simple("unshare", 0x10000000)
simple("setns", 0, 0)
simple("init_module", None, 0, b"")
simple("syslog", 10, None, 0)
simple("seccomp", 2, 0, ctypes.byref(ctypes.c_uint32(0x7FFF0000)))
simple("landlock_create_ruleset", None, 0, 1)
simple("personality", 0x0400000)
simple("shmget", 0, 4096, 0o1600)
simple("mq_open", b"queue", os.O_CREAT | os.O_RDWR, 0o600, None)
simple("fanotify_init", 0, 0)
simple("quotactl", 0, None, 0, None)
simple("reboot", 0, 0, 0, None)
simple("sethostname", b"attacked", 8)
if X86_64:
    simple("getpid", offset=X32)


def process(path: Path, content_type: str) -> Result:
    target = Target(**json.loads(path.read_text()))
    succeeded = {}
    failed = 0
    for name, function in ATTACKS.items():
        try:
            succeeded[name] = f"{function(target, path)!r:.100}"
        except (OSError, LookupError, ValueError, RuntimeError):
            failed += 1
    return Result({"succeeded": succeeded, "failed": failed})


def find_processor(kind: str) -> Processor:
    return process


if __name__ == "__main__":
    setattr(processing, "find_processor", find_processor)  # noqa: B010
    setattr(template, "load_all", lambda: None)  # noqa: B010
    template.main()

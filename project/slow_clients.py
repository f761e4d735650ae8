"""Disconnects clients that do not read their responses, and raises the limit of open files.

granian waits for as long as a client takes to read, and a streaming thread waits with it. WSGI
gives no access to sockets, so a thread inspects those of the process. This needs Linux; elsewhere
no client is disconnected.
"""

import logging
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

DESCRIPTORS = Path("/proc/self/fd")
SIOCOUTQNSD = 0x894B  # from <linux/sockios.h>: bytes for which the client's window has no room
BYTES_ACKED = 120  # offset in `struct tcp_info` of <linux/tcp.h>
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: drop what was not sent
MAX_DESCRIPTORS = 65_536
CHECKS_PER_TIMEOUT = 10
"""A client's rate is measured over its time-out, or up to 10 % longer."""

only_forks = False
"""Whether this process serves no client, and forks those that do: threads do not survive a fork."""


@dataclass(frozen=True)
class Blocked:
    """A connection with data that its client does not read yet."""

    since: float
    """By the monotonic clock."""
    acknowledged: int
    """Bytes that the client had acknowledged by then."""


class SlowClientWatch:
    """Checks the connections that this process has accepted.

    rate: bytes per second that a client must read while data waits for it.
    timeout: seconds over which the rate is measured.
    """

    def __init__(self, rate: float, timeout: float) -> None:
        self.rate = rate
        self.timeout = timeout
        self.blocked: dict[int, Blocked] = {}
        """By the inode of the socket: descriptor numbers are reused."""

    def check(self) -> int:
        """Disconnect the clients that were too slow, and return their number."""
        before, self.blocked = self.blocked, {}
        ports: set[int] = set()
        disconnected = 0
        for connection in blocked_connections():
            inode = os.fstat(connection.fileno()).st_ino
            now = Blocked(time.monotonic(), acknowledged(connection))
            then = self.blocked[inode] = before.get(inode, now)
            seconds = now.since - then.since
            if seconds < self.timeout:
                continue
            if now.acknowledged - then.acknowledged >= self.rate * seconds:
                self.blocked[inode] = now
                continue
            ports = ports or listening_ports()
            if connection.getsockname()[1] in ports:  # else this process opened the connection
                abort(connection)
                disconnected += 1
        return disconnected

    def run(self) -> None:
        """Check for ever."""
        while True:
            time.sleep(self.timeout / CHECKS_PER_TIMEOUT)
            try:
                if number := self.check():
                    logger.info("Disconnected %d clients that read too slowly.", number)
            except OSError:
                logger.exception("Could not check the connections.")


def blocked_connections() -> Iterator[socket.socket]:
    """Yield the TCP connections whose client must read before more can be sent."""
    for number, descriptor in enumerate(descriptors(), start=1):
        if number % 100 == 0:
            time.sleep(0.001)  # let requests have the interpreter
        with suppress(OSError):  # not a TCP connection, or closed meanwhile
            if unsent(descriptor):
                with duplicate(descriptor) as connection:
                    yield connection


def descriptors() -> list[int]:
    with os.scandir(DESCRIPTORS) as entries:
        return [int(entry.name) for entry in entries]


def unsent(descriptor: int) -> int:
    return int.from_bytes(ioctl(descriptor, SIOCOUTQNSD, bytes(4)), "little")


@contextmanager
def duplicate(descriptor: int) -> Iterator[socket.socket]:
    """Yield the socket by a new descriptor: the original may be closed and reused at any time.

    Raises OSError if it is not a socket any more.
    """
    own = os.dup(descriptor)
    try:
        connection = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise
    with connection:
        yield connection


def acknowledged(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED + 8)
    return int.from_bytes(info[BYTES_ACKED:], "little")


def listening_ports() -> set[int]:
    """Return the ports on which this process accepts connections."""
    ports = set()
    for descriptor in descriptors():
        with suppress(OSError), duplicate(descriptor) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ports.add(one.getsockname()[1])
    return ports


def abort(connection: socket.socket) -> None:
    """End the connection for the server, and make the kernel drop the unsent data."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        connection.shutdown(socket.SHUT_RDWR)


def install() -> None:
    """Raise the limit of open files, and start to watch connections: here, or in each fork."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if not DESCRIPTORS.is_dir():
        return
    watch = SlowClientWatch(settings.SLOW_CLIENT_BYTES_PER_SECOND, settings.SLOW_CLIENT_SECONDS)

    def start() -> None:
        threading.Thread(target=watch.run, name="slow-clients", daemon=True).start()

    if only_forks:
        os.register_at_fork(after_in_child=start)
    else:
        start()

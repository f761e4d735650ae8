"""Cuts off clients that do not read their answers, and lets a process hold many connections.

granian waits as long as a client takes to read, and a thread that streams waits with it. WSGI shows
no sockets, so a thread looks at those of the process. It needs Linux; elsewhere, no client is cut.
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
SIOCOUTQNSD = 0x894B  # from <linux/sockios.h>: bytes that the client's window has no room for
BYTES_ACKED = 120  # offset in `struct tcp_info` of <linux/tcp.h>
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: what was not sent is dropped
MOST_DESCRIPTORS = 65_536
LOOKS = 10
"""In the time that a client has; a rate is measured over that time or a tenth more."""


@dataclass(frozen=True)
class Waiting:
    """A connection whose client lets data wait."""

    since: float
    acknowledged: int
    """Bytes that the client had taken by then."""


class Watch:
    """Looks at the connections that this process has accepted.

    rate: bytes per second that a client must take while data waits for it, measured over `patience`
    seconds.
    """

    def __init__(self, rate: float, patience: float) -> None:
        self.rate = rate
        self.patience = patience
        self.waiting: dict[int, Waiting] = {}
        """By the inode of the socket: a descriptor's number may be another connection's by now."""

    def look(self) -> int:
        """Cut the connections of clients that were too slow, and return how many those were."""
        before, self.waiting = self.waiting, {}
        ports: set[int] = set()
        cut = 0
        for connection in with_data_that_waits():
            inode = os.fstat(connection.fileno()).st_ino
            now = Waiting(time.monotonic(), acknowledged(connection))
            then = self.waiting[inode] = before.get(inode, now)
            seconds = now.since - then.since
            if seconds < self.patience:
                continue
            if now.acknowledged - then.acknowledged >= self.rate * seconds:
                self.waiting[inode] = now
                continue
            ports = ports or listening()
            if connection.getsockname()[1] in ports:  # else it is one that we have opened ourselves
                abort(connection)
                cut += 1
        return cut

    def run(self) -> None:
        """Look again and again."""
        while True:
            time.sleep(self.patience / LOOKS)
            try:
                if cut := self.look():
                    logger.info("Cut %d clients that read too slowly.", cut)
            except OSError:
                logger.exception("The connections could not be looked at.")


def with_data_that_waits() -> Iterator[socket.socket]:
    """Yield the TCP connections of which the client has to read before more can be sent."""
    for number, descriptor in enumerate(descriptors(), start=1):
        if number % 100 == 0:
            time.sleep(0.001)  # requests want the interpreter, too
        with suppress(OSError):  # no TCP connection, or closed meanwhile
            if unsent(descriptor):
                with borrowed(descriptor) as connection:
                    yield connection


def descriptors() -> list[int]:
    with os.scandir(DESCRIPTORS) as entries:
        return [int(entry.name) for entry in entries]


def unsent(descriptor: int) -> int:
    return int.from_bytes(ioctl(descriptor, SIOCOUTQNSD, bytes(4)), "little")


@contextmanager
def borrowed(descriptor: int) -> Iterator[socket.socket]:
    """Yield the socket by a descriptor of our own: the other may be closed, and used again.

    Raises OSError if it is no socket any more.
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


def listening() -> set[int]:
    """Return the ports on which this process accepts connections."""
    ports = set()
    for descriptor in descriptors():
        with suppress(OSError), borrowed(descriptor) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ports.add(one.getsockname()[1])
    return ports


def abort(connection: socket.socket) -> None:
    """Have the server notice that the connection is over, and the kernel drop what waits in it."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        connection.shutdown(socket.SHUT_RDWR)


def install() -> None:
    """Prepare this process for its connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    if DESCRIPTORS.is_dir():
        watch = Watch(settings.SLOW_CLIENT_BYTES_PER_SECOND, settings.SLOW_CLIENT_SECONDS)
        threading.Thread(target=watch.run, name="connections", daemon=True).start()

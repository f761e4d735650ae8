"""Ports on loopback for servers that a test starts."""

import random
import socket
from contextlib import ExitStack, suppress

# Below those that connections are given: 32768 and up on Linux (net.ipv4.ip_local_port_range).
# Another process would be given the port while its server starts, or is down.
PORTS = range(20_000, 32_000)


def free_ports(number: int) -> list[int]:
    """Return `number` different ports that are free."""
    with ExitStack() as stack:
        free: list[int] = []
        # The seed of a run is the same in all its processes; this one is not.
        for port in random.SystemRandom().sample(PORTS, len(PORTS)):
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                free.append(port)
            if len(free) == number:
                return free
    raise OSError(f"there are no {number} free ports from {PORTS.start} to {PORTS.stop}")


def free_port() -> int:
    """Return a free port."""
    (port,) = free_ports(1)
    return port

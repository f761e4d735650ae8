"""Where a request came from. Addresses are hashed or compared, and kept nowhere."""

import ipaddress
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from footfall.conf import conf

PREFIX_BYTES = 8
"""Of an IPv6 address: the /64 network, the smallest that a client gets."""
MAX_LENGTH = 64
"""Characters of an address that are looked at."""
MAPPED = bytes(10) + b"\xff\xff"
"""IPv4 in IPv6 begins with it."""


class Network(NamedTuple):
    """A range of packed addresses of one length."""

    first: bytes
    last: bytes


def address_of(remote_addr: str | None, forwarded_for: str | None) -> str:
    """Return the client's address, as `COUNTERS_PROXIES` trusted proxies pass it on.

    Each appends to `X-Forwarded-For` the address from which it was asked; some with its port.
    """
    proxies = conf.COUNTERS_PROXIES
    if proxies and forwarded_for:
        passed = forwarded_for.rsplit(",", proxies)
        return without_port(passed[-min(proxies, len(passed))].strip()[:MAX_LENGTH])
    return without_port((remote_addr or "")[:MAX_LENGTH])


def without_port(address: str) -> str:
    """Return an address without a port: "192.0.2.7:50311", "[2001:db8::1]:50311".

    The next connection of the same client has another port. Other texts stay as they are.
    """
    if ":" not in address:
        return address
    if address.startswith("["):
        host, end, port = address[1:].partition("]")
        return host if end and (not port or _is_port(port)) else address
    host, _, port = address.partition(":")
    is_ipv4 = host.replace(".", "").isdecimal()
    return host if is_ipv4 and _is_port(f":{port}") else address


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isdecimal()


def packed(address: str) -> bytes:
    """Return the 4 or 16 bytes of an address; of a text that is none, such as a path, its own."""
    try:
        if ":" not in address:
            return inet_pton(AF_INET, address)
        found = inet_pton(AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return address.encode(errors="replace")
    return found[12:] if found.startswith(MAPPED) else found


def prefix(address: bytes) -> bytes:
    """Return what a client cannot change as it likes: of IPv6 the network."""
    return address[:PREFIX_BYTES] if len(address) == 16 else address


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of these texts: "10.1.0.0/16". Others than networks are left out."""
    found = []
    for text in texts:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            continue
        found.append(Network(network[0].packed, network[-1].packed))
    return tuple(found)


def is_in(address: bytes, ranges: Iterable[Network]) -> bool:
    return any(len(address) == len(first) and first <= address <= last for first, last in ranges)

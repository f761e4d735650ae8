"""Addresses that name several servers, such as `redis+sentinel://a:26379,[::1]:26379/0`."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

PARTS = re.compile(r"(?P<before>[^:/?#]+://(?:[^/?#]*@)?)(?P<servers>[^@/?#]*)(?P<after>.*)", re.S)


class Split(NamedTuple):
    """The parts of an address."""

    parts: SplitResult
    """With the first server alone: `urlsplit()` takes one in brackets, and not two."""
    user: str
    """`user:password@`, as it is written, or ""."""
    servers: list[str]
    """`host:port`, or one of them, as they are written."""


def split(url: str) -> Split:
    """Split an address into its parts. Raises ValueError if it is not one."""
    if not (found := PARTS.fullmatch(url)):
        return Split(urlsplit(url), "", [])
    servers = found["servers"].split(",")
    parts = urlsplit(found["before"] + servers[0] + found["after"])
    user, at, _ = parts.netloc.rpartition("@")
    return Split(parts, user + at, servers)


def host_and_port(server: str, port: int) -> tuple[str, int]:
    """Return both of `host:port`, or this port if it names none. Raises ValueError."""
    parts = urlsplit(f"//{server}")
    if not parts.hostname:
        raise ValueError(f"{server!r} names no server")
    return parts.hostname, parts.port or port

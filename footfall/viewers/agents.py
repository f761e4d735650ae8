"""Agents: what a user agent, and how a request came, are hashed to."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from footfall.models.viewers import MAX_STRING, How

PREFETCH_WORDS = ("prefetch", "prerender", "preview")
CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")
"""Characters that are replaced: PostgreSQL takes no NUL, and no terminal should get the others."""


class Told(NamedTuple):
    """What an event tells of its agent, see `events.Meta.told`."""

    how: How
    string: str

    def encode(self) -> bytes:
        return bytes([self.how]) + self.string.encode()

    @classmethod
    def decode(cls, told: bytes) -> "Told":
        """Raises ValueError for what `encode` has not returned."""
        return cls(How(told[0]), told[1:].decode())


def hash_of(told: bytes) -> int:
    """Return the 64 bits by which events name the agent; never 0."""
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big") or 1


def clean(header: str) -> str:
    """Return a user agent as it is kept: WSGI has its bytes as characters.

    At most `MAX_STRING` characters, without control characters; at most so many bytes are read.
    """
    header = header[:MAX_STRING]
    if not header.isascii():
        try:
            header = header.encode("latin-1").decode(errors="replace")
        except UnicodeEncodeError:  # it is text already
            header = header.encode(errors="replace").decode()
    return printable(header)


def printable(text: str) -> str:
    """Return a text as a user agent is kept. One that is kept already stays as it is."""
    return text[:MAX_STRING].translate(CONTROL).strip()


def is_prefetch(purposes: Iterable[str | None]) -> bool:
    """Tell whether a browser has asked in advance, for a page that may never be looked at.

    purposes: its headers Sec-Purpose, Purpose, X-Purpose and X-Moz.
    """
    sent = " ".join(filter(None, purposes)).lower()
    return any(word in sent for word in PREFETCH_WORDS)

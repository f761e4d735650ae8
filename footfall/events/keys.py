"""Keys of clients: with one, an event counts once however often it is sent.

A key is a hash in the form of a UUID of version 5, 16 bytes: MariaDB takes no others. Its first bit
says for how long it is known.
"""

import json
from collections.abc import Iterable
from enum import IntEnum
from hashlib import blake2b

from footfall.events.meta import Meta, places_of

KEY_BYTES = 16
KNOWN = 1 << Meta._fields.index("key")
PLACES = places_of("key")


class Life(IntEnum):
    """For how many hours a key is known at least."""

    DAY = 24
    WEEK = 7 * 24


def make_key(life: Life, *parts: str | int) -> bytes:
    """Return the key for what the client has sent; other parts, or another life, are another key.

    parts: what it is for, and what names it. Text from outside may be as long as it likes.
    """
    text = json.dumps([life, *parts])
    digest = blake2b(text.encode(), digest_size=KEY_BYTES, person=b"footfall key").digest()
    key = bytearray(digest)
    key[0] = key[0] | 0x80 if life is Life.WEEK else key[0] & 0x7F
    key[6] = key[6] & 0x0F | 0x50
    key[8] = key[8] & 0x3F | 0x80
    return bytes(key)


def is_key(key: bytes) -> bool:
    """Tell whether this may be a key; ingest condemns an event with another one."""
    return len(key) == KEY_BYTES and key[6] >> 4 == 5 and key[8] >> 6 == 2


def life_of(key: bytes) -> Life:
    return Life.WEEK if key[0] & 0x80 else Life.DAY


def with_key(meta: bytes, key: bytes) -> bytes:
    """Return encoded metadata without a key with this one; b"": as it is."""
    if not key:
        return meta
    known = meta[0] if meta else 0
    start = PLACES[known].start
    return bytes([known | KNOWN]) + meta[1:start] + key + meta[start:]


def has_keys(metas: Iterable[bytes]) -> bool:
    """Tell whether any of so many metadata has a key."""
    return any(first and first[0] & KNOWN for first in {meta[:1] for meta in metas})


def split_key(meta: bytes) -> tuple[bytes, bytes]:
    """Return the key of encoded metadata, b"" if there is none; and the metadata without it.

    meta: as `encode_meta` has written it.
    """
    if not meta or not meta[0] & KNOWN:
        return b"", meta
    place, known = PLACES[meta[0]], meta[0] & ~KNOWN
    rest = bytes([known]) + meta[1 : place.start] + meta[place.stop :] if known else b""
    return meta[place], rest

"""What was viewed, as bytes.

A body, version 2: the byte 2; then for each label, in their order: its length in bytes, the label,
the number of ids, the first id, and the difference of each further id to the one before. Lengths,
numbers and ids are varints: 7 bits a byte, the lowest first, the high bit set if another follows.
Version 1 was JSON.

A target is its label and an id from 1 to 2**63 - 1: an integer key itself, else the hash of the
key. So no table says what an id stands for, and no restore can change it.

Version 3 has the keys behind such ids, too: the byte 3, the length of the keys as a varint, the
keys, and then the same view in version 2. The keys are JSON: {label: [a key for each id]}.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate, pairwise

from footfall.events import version_1
from footfall.events.labels import MAX_LABEL_BYTES, is_label, label_of
from footfall.events.reasons import DeadLetterReason, Malformed
from footfall.events.varints import BIGINT, append_varint, read_varint, read_varints

VERSION = b"\x02"
WITH_KEYS = b"\x03"
LATER_VERSIONS = {bytes([number]) for number in range(4, 9)}
MAX_KEY_LENGTH = 255
"""Characters of a key that is no integer."""
MAX_BODY_BYTES = 1024**2
"""Of a body that can be stored: some 300,000 targets."""

Keys = Mapping[str, Mapping[int, str]]
"""By label, then by id: the keys of which the ids are hashes."""


def id_of(key: str) -> int:
    """Return the id of a key that is no integer: 63 bits of its hash.

    Two of a million keys have the same one with a probability of 1 to 18 million.
    """
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1 or 1


def encode(ids: Mapping[str, Collection[int]], keys: Keys | None = None) -> bytes:
    """Return the body of one view of every target in `ids`: {"pages.content": {1, 2}}.

    keys: those behind the ids that are hashes: {"shop.product": {id_of(key): key}}. The same
    targets give the same bytes, so their views are decoded once. Raises ValueError for what
    `decode` would refuse.
    """
    if not keys:
        if len(ids) == 1:
            ((label, of_label),) = ids.items()
            if len(of_label) == 1:
                return _encode_one(label, *of_label)
        return _encode(ids)
    listed = {label: [key for _, key in sorted(keys[label].items())] for label in sorted(keys)}
    for label, of_label in keys.items():
        if not _are_keys(of_label) or {*of_label} != {*ids[label]}:
            longest = f"1 to {MAX_KEY_LENGTH} characters, none of them 0"
            raise ValueError(f"keys of {label} have {longest}, and ids are made of them")
    text = json.dumps(listed, separators=(",", ":")).encode()
    body = bytearray(WITH_KEYS)
    append_varint(body, len(text))
    body += text + _encode(ids)
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"a view of so many targets has {len(body)} bytes")
    return bytes(body)


def keys_in(body: bytes) -> Keys:
    """Return the keys in an event; without any, {}. Raises Malformed."""
    if body[:1] != WITH_KEYS:
        return {}
    text, view = _split(body)
    ids = _decode(view)
    found: dict[str, dict[int, str]] = {}
    try:
        found = {
            label: dict(zip(ids[label], keys, strict=True))
            for label, keys in json.loads(text).items()
        }
        is_right = all(map(_are_keys, found.values()))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        is_right = False
    if not is_right:
        raise Malformed(DeadLetterReason.INVALID_KEYS, text)
    return found


def _are_keys(keys: Mapping[int, str]) -> bool:
    """Tell whether they can be stored, and have these ids. Raises UnicodeEncodeError."""
    return all(
        0 < len(key) <= MAX_KEY_LENGTH and "\0" not in key and id_of(key) == one
        for one, key in keys.items()
    )


def _split(body: bytes) -> tuple[bytes, bytes]:
    """Return the keys, as JSON, and the body of version 2 behind them. Raises Malformed."""
    try:
        length, at = read_varint(body, len(WITH_KEYS))
    except IndexError:
        raise Malformed(DeadLetterReason.TRUNCATED) from None
    view = body[at + length :]
    if view[:1] != VERSION:
        raise Malformed(DeadLetterReason.TRUNCATED)
    return body[at : at + length], view


@lru_cache(maxsize=10_000)
def _encode_one(label: str, one: int) -> bytes:
    """Return the body of a view of one target: most are, and of few targets."""
    return _encode({label: [one]})


def _encode(ids: Mapping[str, Collection[int]]) -> bytes:
    body = bytearray(VERSION)
    for label in sorted(ids):
        name, targets = label.encode(), sorted(set(ids[label]))
        if not is_label(label) or len(name) > MAX_LABEL_BYTES:
            raise ValueError(f"not a label of at most {MAX_LABEL_BYTES} bytes: {label!r}")
        if not targets or not 0 < targets[0] <= targets[-1] < BIGINT:
            raise ValueError(f"ids of {label} are from 1 to 2**63 - 1, and at least one")
        body.append(len(name))
        body += name
        append_varint(body, len(targets))
        append_varint(body, targets[0])
        for one, following in pairwise(targets):
            append_varint(body, following - one)
    if len(body) == len(VERSION):
        raise ValueError("a view has at least one target")
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"a view of so many targets has {len(body)} bytes")
    return bytes(body)


def decode(body: bytes) -> dict[str, list[int]]:
    """Return what was viewed, ids by label, of an event of any version. Raises Malformed."""
    if len(body) > MAX_BODY_BYTES:
        raise Malformed(DeadLetterReason.TOO_LONG, len(body))
    if body[:1] == VERSION:
        return _decode(body)
    if body[:1] == WITH_KEYS:
        keys_in(body)  # checked with it
        return _decode(_split(body)[1])
    if body[:1] in LATER_VERSIONS:
        raise Malformed(DeadLetterReason.UNKNOWN_VERSION, body[0])
    return version_1.decode(body)


def viewed(body: bytes) -> dict[str, list[int] | list[str]]:
    """Return what was viewed by label, with the keys of ids that are hashes. Raises Malformed."""
    found: dict[str, list[int] | list[str]] = {**decode(body)}
    return found | {label: list(keys.values()) for label, keys in keys_in(body).items()}


def normalize(body: bytes) -> bytes:
    """Return a body of version 1 as one of version 2, and any of a later one as it is, unchecked.

    Raises Malformed.
    """
    return body if body[:1] in (VERSION, WITH_KEYS) else encode(decode(body))


def _decode(body: bytes) -> dict[str, list[int]]:
    targets: dict[str, list[int]] = {}
    at, last = len(VERSION), ""
    try:
        while at < len(body):
            end = at + 1 + body[at]
            label = label_of(body[at + 1 : end])
            if label <= last:
                raise Malformed(DeadLetterReason.UNSORTED, label, last)
            targets[label], at = _read_ids(body, end, label)
            last = label
    except IndexError:
        raise Malformed(DeadLetterReason.TRUNCATED) from None
    if not targets:
        raise Malformed(DeadLetterReason.NO_TARGETS)
    return targets


def _read_ids(body: bytes, at: int, label: str) -> tuple[list[int], int]:
    """Return the ids of a label and where they end. Raises Malformed, or IndexError at the end.

    What most bodies have has a path of its own: fewer than 128 ids, and small differences.
    """
    count = body[at]
    count, at = (count, at + 1) if count < 0x80 else read_varint(body, at)
    if not count:
        raise Malformed(DeadLetterReason.NO_IDS, label)
    first, at = read_varint(body, at)
    end = at + count - 1
    differences: Sequence[int] = body[at:end]
    if not body[at:end].isascii():
        differences, end = read_varints(body, at, count - 1)
    elif end > len(body):
        raise IndexError
    if 0 in differences:
        raise Malformed(DeadLetterReason.DUPLICATE_ID, label)
    ids = [*accumulate(differences, initial=first)] if differences else [first]
    if not 0 < first <= ids[-1] < BIGINT:
        raise Malformed(DeadLetterReason.INVALID_ID, label, ids[-1] if first else first)
    return ids, end

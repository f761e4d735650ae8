"""What an entry has beside its body: how it is written, and how replies are read, as columns.

An entry, version 2, has two fields: `h`, the header, and `b`, the body. A header is offset,
producer id (8 bytes each), sequence (4) and at (8), the highest byte of each first; then the
metadata. Version 1 has a field for each of the four, as text. Both may be in one stream.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from footfall.eventlog.entries import NO_PRODUCER, Columns, EventId, Row

RawEntry = tuple[bytes, list[bytes]]
"""An entry as Redis replies: its id; names and values of its fields, by turns."""

BIGINT = 2**63
SEQUENCES = 2**32
"""How many sequence numbers a producer has."""
NAMES, NAMES_1 = [b"h", b"b"], [b"s", b"n", b"t", b"o", b"b"]
HEADER = struct.Struct(">QQIQ")
COLUMNS = 5
"""Offset, producer id, sequence, at; and the metadata."""
BLOCK = 256
"""Headers that are unpacked at once."""
REST = struct.Struct(">QIQ")
EVENT_ID = struct.Struct(">QI")


def pack(event_id: EventId, at: int, meta: bytes) -> bytes:
    """Return the header of a new entry without the offset, which Redis puts in front."""
    return REST.pack(*event_id, max(at, 0)) + meta


def pack_event_id(event_id: EventId) -> bytes:
    """Return a part of the header; b"" for an event of version 1 that cannot have one."""
    return EVENT_ID.pack(*event_id) if event_id.sequence < SEQUENCES else b""


def columns_of(reply: Sequence[RawEntry]) -> Columns:
    """Return the entries of a reply. Version 2 is read column by column, if there is no other."""
    if not reply:
        return Columns()
    return _of_version_2(reply) or _of_any_version(reply)


def _of_version_2(reply: Sequence[RawEntry]) -> Columns | None:
    """Return the entries of a reply; None if one is not of version 2."""
    ids, fields = zip(*reply, strict=True)
    try:
        h, headers, b, bodies = zip(*fields, strict=True)
    except ValueError:
        return None
    if {*h} != {b"h"} or {*b} != {b"b"} or (columns := _unpacked(headers)) is None:
        return None
    offsets, producer_ids, sequences, ats, metas = columns
    if max(max(offsets), max(producer_ids), max(ats)) >= BIGINT:
        return None
    return Columns(list(ids), producer_ids, sequences, ats, offsets, list(bodies), metas)


def _unpacked(headers: Sequence[bytes]) -> list[list[Any]] | None:
    """Return the columns of headers: offset, producer id, sequence, at, metadata.

    Mostly all have the same length, so many are unpacked at once. None if one is too short.
    """
    lengths = {*map(len, headers)}
    if min(lengths) < HEADER.size:
        return None
    if len(lengths) > 1:
        heads = _unpacked([header[: HEADER.size] for header in headers]) or []
        return [*heads[:-1], [header[HEADER.size :] for header in headers]]
    (length,) = lengths
    joined = b"".join(headers)
    values: list[Any] = []
    for start in range(0, len(joined), BLOCK * length):
        block = min(BLOCK, len(joined) // length - start // length)
        values += _headers(length - HEADER.size, block).unpack_from(joined, start)
    return [values[place::COLUMNS] for place in range(COLUMNS)]


@lru_cache(maxsize=64)
def _headers(meta_bytes: int, times: int) -> struct.Struct:
    """Return the form of so many headers with metadata of this length."""
    return struct.Struct(">" + f"QQIQ{meta_bytes}s" * times)


def _of_any_version(reply: Sequence[RawEntry]) -> Columns:
    columns = Columns.of([_row(*entry) for entry in reply])
    columns.sparse = {
        producer_id
        for producer_id, (_, fields) in zip(columns.producer_ids, reply, strict=True)
        if fields[::2] == NAMES_1
    }
    return columns


def _row(entry_id: bytes, fields: list[bytes]) -> Row:
    """Return an entry. One that was not made by a producer of this log has no event id."""
    values = fields[1::2]
    try:
        offset, producer_id, sequence, at, meta = _header(fields[::2], values)
    except (ValueError, struct.error):
        return entry_id, NO_PRODUCER, NO_PRODUCER, NO_PRODUCER, 0, b" ".join(fields), b""
    return entry_id, producer_id, sequence, at, offset, values[-1], meta


def _header(names: list[bytes], values: list[bytes]) -> tuple[int, int, int, int, bytes]:
    """Return offset, producer id, sequence, at and metadata. Raises ValueError or struct.error.

    An offset or a time that is out of range makes no other event of it: it is 0, or the latest.
    """
    meta = b""
    if names == NAMES:
        offset, producer_id, sequence, at = HEADER.unpack_from(values[0])
        meta = values[0][HEADER.size :]
    elif names == NAMES_1:
        producer_id, sequence, at, offset = (int(value) for value in values[:4])
    else:
        raise ValueError
    if not (0 <= producer_id < BIGINT and 0 <= sequence < BIGINT):
        raise ValueError
    offset = offset if 0 <= offset < BIGINT else 0
    return offset, producer_id, sequence, min(max(at, 0), BIGINT - 1), meta

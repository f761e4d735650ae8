"""What an entry has beside its body: how it is written, and how replies are read, as columns.

An entry, version 2, has two fields: `h`, the header, and `b`, the body. A header is four integers
of eight bytes, the highest byte first: offset, producer id, sequence, at; then the metadata.
Version 1 has a field for each of the integers, as text. Both may be in one stream.
"""

import struct
from collections.abc import Sequence

from footfall.eventlog.entries import NO_PRODUCER, Columns, EventId, Row

RawEntry = tuple[bytes, list[bytes]]
"""An entry as Redis replies: its id; names and values of its fields, by turns."""

BIGINT = 2**63
NAMES, NAMES_1 = [b"h", b"b"], [b"s", b"n", b"t", b"o", b"b"]
HEADER = struct.Struct(">4Q")
REST = struct.Struct(">3Q")
EVENT_ID = struct.Struct(">2Q")


def pack(event_id: EventId, at: int, meta: bytes) -> bytes:
    """Return the header of a new entry without the offset, which Redis puts in front."""
    return REST.pack(*event_id, at) + meta


def columns_of(reply: Sequence[RawEntry]) -> Columns:
    """Return the entries of a reply. Version 2 is read column by column, if there is no other."""
    if not reply:
        return Columns()
    return _of_version_2(reply) or Columns.of([_row(*entry) for entry in reply])


def _of_version_2(reply: Sequence[RawEntry]) -> Columns | None:
    """Return the entries of a reply; None if one is not of version 2."""
    ids, fields = zip(*reply, strict=True)
    try:
        h, headers, b, bodies = zip(*fields, strict=True)
    except ValueError:
        return None
    packed = b"".join([header[: HEADER.size] for header in headers])
    if {*h} != {b"h"} or {*b} != {b"b"} or len(packed) != len(ids) * HEADER.size:
        return None
    numbers = struct.unpack(f">{4 * len(ids)}Q", packed)
    if max(numbers) >= BIGINT:
        return None
    offsets, producer_ids, sequences, ats = (list(numbers[place::4]) for place in range(4))
    metas = [header[HEADER.size :] for header in headers]
    return Columns(list(ids), producer_ids, sequences, ats, offsets, list(bodies), metas)


def _row(entry_id: bytes, fields: list[bytes]) -> Row:
    """Return an entry. One that was not made by a producer of this log has no event id."""
    values = fields[1::2]
    try:
        offset, producer_id, sequence, at, meta = _header(fields[::2], values)
    except (ValueError, struct.error):
        return entry_id, NO_PRODUCER, NO_PRODUCER, NO_PRODUCER, 0, b" ".join(fields), b""
    return entry_id, producer_id, sequence, at, offset, values[-1], meta


def _header(names: list[bytes], values: list[bytes]) -> tuple[int, int, int, int, bytes]:
    """Return offset, producer id, sequence, at and metadata. Raises ValueError or struct.error."""
    meta = b""
    if names == NAMES:
        offset, producer_id, sequence, at = HEADER.unpack_from(values[0])
        meta = values[0][HEADER.size :]
    elif names == NAMES_1:
        producer_id, sequence, at, offset = (int(value) for value in values[:4])
    else:
        raise ValueError
    if not all(0 <= number < BIGINT for number in (offset, producer_id, sequence, at)):
        raise ValueError
    return offset, producer_id, sequence, at, meta

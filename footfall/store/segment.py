"""The data of a segment: events as columns, encoded and decoded.

Version 1 is a raw deflate stream of columns, one after another (`numbers.py` has their form):

    how many runs, events, bodies, producer ids and metas there are
    runs: numbers, partitions, events
    bodies: lengths, bytes, and which one each event has
    at: differences
    producer ids, which one each event has, and its sequence: differences by producer
    metas: as bodies, left out if all are empty
"""

import zlib
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, pairwise
from operator import call
from typing import NamedTuple

from footfall.events import decode as decode_body
from footfall.store.numbers import Reader, pack, pack_differences

VERSION = 1
LEVEL = 1
"""Of zlib. Level 6 takes three times as long for 4 % less: see tests/footfall/bench_store.py."""
RAW_DEFLATE = -15
"""Without zlib's own checksum: `Segment.checksum` is one."""
MANY_BYTES = 128 * 1024
"""Of metadata that are left as they are: of 5,000 visitors or more, in one batch."""
MAX_COLUMN_BYTES = 64 * 1024**2
MAX_COUNT = 2**18
"""Most runs, events or distinct values of a segment. Both limits keep damaged data harmless."""
NO_SEQUENCE = -1
"""The sequence of an event without an id: it went past the log."""


class Run(NamedTuple):
    """Consecutive events of one partition, stored together."""

    number: int
    """Of the segment in which they were stored first; 0 until they are stored."""
    partition: int
    events: int


class Corrupt(Exception):
    """The data of a segment cannot be read."""


@dataclass
class Events:
    """Events as columns. `body`, `producer` and `meta` are indexes: one for each event."""

    runs: list[Run] = field(default_factory=list)
    """In the order of the events; together they have all events."""
    bodies: list[bytes] = field(default_factory=list)
    """Distinct bodies: what was viewed."""
    body: Sequence[int] = ()
    at: Sequence[int] = ()
    """When each happened: milliseconds since 1970."""
    producer_ids: list[int] = field(default_factory=list)
    """Distinct ids; 0 for events without one."""
    producer: Sequence[int] = ()
    sequence: Sequence[int] = ()
    """Of each, or NO_SEQUENCE."""
    metas: list[bytes] = field(default_factory=list)
    """Distinct metadata, see `events.Meta`; usually only b""."""
    meta: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def targets(self) -> list[dict[str, list[int]]]:
        """What was viewed, for each of `bodies`: ids by label. Raises Malformed."""
        return [decode_body(body) for body in self.bodies]

    def labels(self) -> set[str]:
        """Return the labels of all models that were viewed. Raises Malformed."""
        return set(chain.from_iterable(self.targets))

    def by_partition(self) -> Counter[int]:
        """Return how many events each partition has."""
        events: Counter[int] = Counter()
        for run in self.runs:
            events[run.partition] += run.events
        return events


def encode(events: Events, *, quickly: bool = False) -> bytes:
    """Return the data of a segment with these events. Raises ValueError if they are too many.

    quickly: very many metadata are left as they are. They are mostly random, so compressing them
    takes as long as all else, for a third of their bytes.
    """
    metas = [] if events.metas == [b""] else events.metas
    counted = (events.runs, events.at, events.bodies, events.producer_ids, metas)
    counts = list(map(len, counted))
    columns = [
        pack(counts),
        pack_differences([[run.number for run in events.runs]]),
        pack([run.partition for run in events.runs]),
        pack([run.events for run in events.runs]),
        *_pack_distinct(events.bodies, events.body),
        pack_differences([events.at]),
        pack(events.producer_ids),
        pack(list(events.producer)),
        pack_differences(_by_producer(events)),
    ]
    joined = b"".join(columns)
    packed_metas = b"".join(_pack_distinct(metas, events.meta)) if metas else b""
    if max(counts) > MAX_COUNT or len(joined) + len(packed_metas) > MAX_COLUMN_BYTES:
        raise ValueError("too much for one segment")
    if not quickly or len(packed_metas) < MANY_BYTES:
        return zlib.compress(joined + packed_metas, LEVEL, RAW_DEFLATE)
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW_DEFLATE)
    deflated = stream.compress(joined) + stream.flush(zlib.Z_SYNC_FLUSH)  # it goes on
    return deflated + zlib.compress(packed_metas, zlib.Z_NO_COMPRESSION, RAW_DEFLATE)


def decode(data: bytes, version: int) -> Events:
    """Return the events of a segment. Raises Corrupt."""
    if version != VERSION:
        raise Corrupt(f"unknown version {version}")
    try:
        return _decode(Reader(_decompress(data)))
    except (zlib.error, ValueError, OverflowError) as error:
        raise Corrupt(str(error)) from error


def _decompress(data: bytes) -> bytes:
    stream = zlib.decompressobj(RAW_DEFLATE)
    columns = stream.decompress(data, MAX_COLUMN_BYTES)
    if not stream.eof or stream.unused_data:
        raise ValueError("the data does not end where it should")
    return columns


def _decode(reader: Reader) -> Events:
    runs, events, bodies, producers, metas = counts = reader.numbers(5)
    if not 0 <= min(counts) <= max(counts) <= MAX_COUNT:
        raise ValueError("a number of values is out of range")
    found = Events()
    (numbers,) = reader.differences([runs])
    partitions, sizes = reader.numbers(runs), reader.numbers(runs)
    found.runs = list(map(Run, numbers, partitions, sizes))
    if min(sizes, default=0) < 0 or sum(sizes) != events:
        raise ValueError("the runs do not have all events")
    found.bodies, found.body = _read_distinct(reader, bodies, events)
    (found.at,) = reader.differences([events])
    found.producer_ids = list(reader.numbers(producers))
    found.producer = _read_indexes(reader, producers, events)
    found.sequence = _read_sequences(reader, producers, found.producer)
    found.metas, found.meta = [b""], array("B", bytes(events))
    if metas:
        found.metas, found.meta = _read_distinct(reader, metas, events)
    if reader.left:
        raise ValueError("there is more than the columns")
    return found


def _pack_distinct(values: list[bytes], indexes: Sequence[int]) -> tuple[bytes, ...]:
    return pack(list(map(len, values))), b"".join(values), pack(list(indexes))


def _read_distinct(reader: Reader, count: int, events: int) -> tuple[list[bytes], "array[int]"]:
    lengths = reader.numbers(count)
    if min(lengths, default=0) < 0:
        raise ValueError("a length is negative")
    joined = reader.read(sum(lengths))
    ends = accumulate(lengths, initial=0)
    values = [joined[start:end] for start, end in pairwise(ends)]
    return values, _read_indexes(reader, count, events)


def _read_indexes(reader: Reader, count: int, events: int) -> "array[int]":
    indexes = reader.numbers(events)
    if indexes and not 0 <= min(indexes) <= max(indexes) < count:
        raise ValueError("an index is out of range")
    return indexes


def _by_producer(events: Events) -> list[list[int]]:
    """Return the sequences of each producer."""
    sequences: list[list[int]] = [[] for _ in events.producer_ids]
    append = [of_one.append for of_one in sequences]
    # A loop in C.
    deque(map(call, map(append.__getitem__, events.producer), events.sequence), maxlen=0)
    return sequences


def _read_sequences(reader: Reader, producers: int, producer: "array[int]") -> "array[int]":
    counts = Counter(producer)
    sequences = reader.differences([counts[index] for index in range(producers)])
    following = [iter(of_one).__next__ for of_one in sequences]
    return array("q", map(call, map(following.__getitem__, producer)))

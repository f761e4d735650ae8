"""The data of a segment: what was encoded comes back, or it is corrupt."""

import tracemalloc
import zlib
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from footfall.store.append import new_segment
from footfall.store.builder import cut
from footfall.store.read import verified
from footfall.store.segment import (
    MANY_BYTES,
    MAX_COLUMN_BYTES,
    MAX_COUNT,
    RAW_DEFLATE,
    VERSION,
    Corrupt,
    Events,
    Run,
    decode,
    encode,
)
from tests.support.store import Stored, built, numbered, rows_of
from tests.support.traffic import viewers

POSITIVE = some.integers(0, 2**63 - 1)
IDS = some.sampled_from([0, 7, 2**62]) | POSITIVE
BODIES = some.sampled_from([b"", b"one", b"two"]) | some.binary(max_size=300)
METAS = some.just(b"") | some.binary(max_size=20)
EVENTS = some.builds(
    Stored, some.just(0), IDS, some.integers(-1, 2**63 - 1), POSITIVE, BODIES, METAS
)
RUNS = some.tuples(some.integers(0, 2**16 - 1), some.lists(EVENTS, min_size=1)).map(
    lambda run: [event._replace(partition=run[0]) for event in run[1]]
)
MANY = some.lists(RUNS, max_size=5)


def columns(events: Events) -> dict[str, Any]:
    return {name: list(column) for name, column in vars(events).items()}


@given(MANY)
def test_what_is_encoded_comes_back(runs: list[list[Stored]]) -> None:
    events = built(*runs)

    decoded = decode(encode(events), VERSION)

    assert list(rows_of(decoded)) == list(rows_of(events)) == [row for run in runs for row in run]
    assert columns(decoded) == columns(events)
    assert columns(decode(encode(decoded), VERSION)) == columns(events)


@given(some.lists(some.tuples(POSITIVE, some.integers(0, 2**16 - 1), some.integers(1, 3))))
def test_runs_keep_their_numbers(runs: list[tuple[int, int, int]]) -> None:
    events = built(numbered(sum(count for _number, _partition, count in runs)))
    events.runs = [Run(*run) for run in runs]

    assert decode(encode(events), VERSION).runs == events.runs


def test_sequences_and_times_from_one_end_to_the_other_come_back() -> None:
    ends = (-1, 2**63 - 1, 0, 2**63 - 1, -1)
    rows = [Stored(sequence=end, at=end) for end in ends]

    assert list(rows_of(decode(encode(built(rows)), VERSION))) == rows


def test_values_that_no_event_has_come_back() -> None:
    events = built(numbered(2))
    events.bodies.append(b"unused")
    events.producer_ids.append(9)

    assert columns(decode(encode(events), VERSION)) == columns(events)


def test_views_of_one_page_at_one_time_take_hardly_any_space() -> None:
    spilled = built([Stored(producer_id=0, sequence=-1) for _ in range(10_000)])

    assert len(encode(spilled)) < 300


def test_very_many_visitors_are_not_compressed_at_once() -> None:
    """Compaction does it later."""
    many = [Stored(sequence=n, meta=meta) for n, meta in enumerate(viewers(MANY_BYTES // 17))]
    events, few = built(many), built(many[:100])

    quick = encode(events, quickly=True)

    assert columns(decode(quick, VERSION)) == columns(events)
    assert many[50].meta + many[51].meta in quick
    assert len(encode(events)) < len(quick)
    assert encode(few, quickly=True) == encode(few)


@given(MANY, some.data())
def test_a_byte_that_was_flipped_is_noticed(
    runs: list[list[Stored]], data: some.DataObject
) -> None:
    events = built(*runs, numbered(1))
    segment = new_segment(events, timezone.now())
    place = data.draw(some.integers(0, len(segment.data) - 1))
    damaged = bytearray(segment.data)
    damaged[place] ^= data.draw(some.integers(1, 255))
    segment.data = bytes(damaged)

    with pytest.raises(Corrupt):
        verified(segment)
    decodes_or_is_corrupt(segment.data)


@given(MANY, some.data())
def test_a_cut_is_noticed(runs: list[list[Stored]], data: some.DataObject) -> None:
    segment = new_segment(built(*runs, numbered(1)), timezone.now())
    whole = segment.data
    for end in (data.draw(some.integers(0, len(whole) - 1)), len(whole) - 1):
        segment.data = whole[:end]
        with pytest.raises(Corrupt):
            verified(segment)
        with pytest.raises(Corrupt):
            decode(segment.data, VERSION)


def test_a_row_whose_other_fields_are_wrong_is_corrupt() -> None:
    for wrong in ({"version": VERSION + 1}, {"events": 2}, {"checksum": 0}):
        segment = new_segment(built(numbered(3)), timezone.now())
        for name, value in wrong.items():
            setattr(segment, name, value)
        with pytest.raises(Corrupt):
            verified(segment)


def decodes_or_is_corrupt(data: bytes) -> None:
    """Nothing else happens, whatever the data is."""
    try:
        events = decode(data, VERSION)
    except Corrupt:
        return
    assert len(list(rows_of(events))) == len(events)


@given(some.binary())
def test_any_bytes_are_corrupt_or_events(data: bytes) -> None:
    decodes_or_is_corrupt(data)
    decodes_or_is_corrupt(deflated(data))


@given(MANY, some.data())
def test_damaged_columns_are_corrupt_or_events(
    runs: list[list[Stored]], data: some.DataObject
) -> None:
    columns = bytearray(zlib.decompress(encode(built(*runs)), RAW_DEFLATE))
    for _ in range(data.draw(some.integers(1, 4))):
        place = data.draw(some.integers(0, len(columns) - 1))
        columns[place : place + data.draw(some.integers(0, 2))] = data.draw(some.binary(max_size=9))
    decodes_or_is_corrupt(deflated(bytes(columns)))


def deflated(data: bytes) -> bytes:
    return zlib.compress(data, 1, RAW_DEFLATE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": [0, 1, 2, 3]},
        {"body": [0, 1, 2, -1]},
        {"metas": [b"1", b"2"], "meta": [0, 1, 2, 0]},
        {"runs": [Run(0, 0, 3)]},
        {"runs": [Run(0, 0, 5), Run(0, 0, -1)]},
    ],
    ids=str,
)
def test_columns_that_do_not_fit_each_other_are_corrupt(wrong: dict[str, Any]) -> None:
    events = built([Stored(sequence=n, body=bytes(n % 3)) for n in range(4)])
    vars(events).update(wrong)

    with pytest.raises(Corrupt):
        decode(encode(events), VERSION)


def test_lengths_that_are_negative_are_corrupt() -> None:
    columns = zlib.decompress(encode(built([Stored(body=b"ab"), Stored(body=b"c")])), RAW_DEFLATE)
    assert b"b\2\1abc" in columns

    with pytest.raises(Corrupt):
        decode(deflated(columns.replace(b"b\2\1abc", b"b\4\xffabc")), VERSION)


@pytest.mark.parametrize("follows", [b"", b"\0"])
def test_what_follows_the_data_is_corrupt(follows: bytes) -> None:
    data = encode(built(numbered(3)))
    columns = zlib.decompress(data, RAW_DEFLATE)

    with pytest.raises(Corrupt):
        decode(data + b"\0" + follows, VERSION)
    with pytest.raises(Corrupt):
        decode(deflated(columns + b"\0" + follows), VERSION)


def test_data_that_is_far_too_long_takes_no_memory() -> None:
    stream = zlib.compressobj(1, zlib.DEFLATED, RAW_DEFLATE)
    megabyte = stream.compress(bytes(2**20)) + stream.flush(zlib.Z_FULL_FLUSH)
    bomb = 512 * megabyte + stream.flush()

    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            decode(bomb, VERSION)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 3 * MAX_COLUMN_BYTES


def test_nothing_is_encoded_that_cannot_be_decoded() -> None:
    for events in (
        built([Stored(body=bytes(MAX_COLUMN_BYTES))]),
        Events(runs=[Run(0, 0, 0)] * (MAX_COUNT + 1)),
    ):
        with pytest.raises(ValueError, match="too much"):
            encode(events)


@given(MANY, some.data())
def test_a_part_has_the_events_of_its_range(
    runs: list[list[Stored]], data: some.DataObject
) -> None:
    events = built(*runs)
    start = data.draw(some.integers(0, len(events)))
    stop = data.draw(some.integers(start, len(events)))

    part = cut(events, start, stop)

    assert list(rows_of(part)) == list(rows_of(events))[start:stop]
    assert set(part.bodies) == {row.body for row in rows_of(part)}

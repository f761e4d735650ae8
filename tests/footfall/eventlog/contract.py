"""The specification of a log: every implementation passes it."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from footfall.eventlog import Entry, Full, Log, Position

AT = int(time.time() * 1000) - 3_600_000
FOREVER = 2**40  # more bytes than any test appends


def read(log: Log, position: Position | None = None, partition: int = 0) -> list[Entry]:
    return log.read(partition, position, 1_000_000, FOREVER).entries


def bodies(entries: list[Entry]) -> list[bytes]:
    return [entry.body for entry in entries]


class LogContract:
    """Subclasses define the fixtures `log` and `small_log`, a log that is full after a few kB."""

    def test_what_was_appended_is_read_once_and_in_order(self, log: Log) -> None:
        answers = [log.append(0, body, AT) for body in (b"a", b"b", b"c")]

        entries = read(log)

        assert bodies(entries) == [b"a", b"b", b"c"]
        assert [entry.id for entry in entries] == [answer.id for answer in answers]
        assert [entry.event_id for entry in entries] == [answer.event_id for answer in answers]
        assert {entry.at for entry in entries} == {AT}

    def test_a_body_is_any_bytes(self, log: Log) -> None:
        body = bytes(range(256)) + b"\r\n\0"

        log.append(0, body, AT)

        assert bodies(read(log)) == [body]

    def test_metadata_is_any_bytes_or_none(self, log: Log) -> None:
        metas = [b"", bytes(range(255, 220, -1)), b"\r\n\0", b""]
        for meta in metas:
            log.append(0, b"a", AT, meta)

        assert [entry.meta for entry in read(log)] == metas

    def test_columns_and_entries_say_the_same(self, log: Log) -> None:
        for number in range(3):
            log.append(0, b"%d" % number, AT + number, b"meta")
        columns = log.read(0, None, 10, FOREVER).columns

        entries = columns.entries

        assert len(columns) == len(entries) == 3
        assert columns.ids == [entry.id for entry in entries]
        event_ids = zip(columns.producer_ids, columns.sequences, strict=True)
        assert list(event_ids) == [entry.event_id for entry in entries]
        assert columns.ats == [AT, AT + 1, AT + 2] == [entry.at for entry in entries]
        assert columns.offsets == [1, 2, 3] == [entry.offset for entry in entries]
        assert columns.bodies == [b"0", b"1", b"2"] == bodies(entries)
        assert columns.metas == [b"meta"] * 3 == [entry.meta for entry in entries]
        assert columns.position() == Position.of(entries[-1])
        assert columns.position(0) == Position.of(entries[0])

    def test_partitions_are_separate(self, log: Log) -> None:
        log.append(0, b"zero", AT)
        log.append(1, b"one", AT)

        assert bodies(read(log, partition=1)) == [b"one"]
        assert log.length(0) == log.length(1) == 1
        assert log.length(2) == 0

    def test_a_read_starts_after_its_position(self, log: Log) -> None:
        for body in (b"a", b"b", b"c"):
            log.append(0, body, AT)
        first = read(log)[0]

        assert bodies(read(log, Position.of(first))) == [b"b", b"c"]

    def test_a_read_from_the_last_position_is_empty_and_at_the_end(self, log: Log) -> None:
        log.append(0, b"a", AT)
        last = Position.of(read(log)[-1])

        some = log.read(0, last, 10, FOREVER)

        assert (some.entries, some.reaches_end) == ([], True)

    def test_a_read_is_bounded_by_count(self, log: Log) -> None:
        for _ in range(5):
            log.append(0, b"a", AT)

        some = log.read(0, None, 3, FOREVER)
        rest = log.read(0, Position.of(some.entries[-1]), 3, FOREVER)

        assert (len(some.entries), some.reaches_end) == (3, False)
        assert (len(rest.entries), rest.reaches_end) == (2, True)

    def test_a_read_is_bounded_by_size(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("footfall.eventlog.stream.ENTRIES_PER_CALL", 50)
        for _ in range(125):
            log.append(0, b"a" * 100, AT)

        some = log.read(0, None, 125, max_bytes=1000)

        assert 10 <= len(some.entries) < 125
        assert not some.reaches_end

    def test_a_position_that_is_not_in_the_log_reads_from_the_beginning(self, log: Log) -> None:
        log.append(0, b"a", AT)
        log.append(0, b"b", AT)
        entry = read(log)[-1]
        assert entry.event_id is not None
        other = entry.event_id._replace(sequence=entry.event_id.sequence + 7)

        for wrong in (Position(entry.id, other, 2), Position(b"9999999999999-0", other, 2)):
            assert bodies(read(log, wrong)) == [b"a", b"b"]
            assert log.pending(0, wrong) == 2

    def test_event_ids_are_unique_and_in_order_for_each_producer(self, log: Log) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: log.append(0, b"a", AT), range(400)))

        entries = read(log)
        event_ids = [entry.event_id for entry in entries]
        by_producer: dict[int, list[int]] = {}
        for event_id in event_ids:
            assert event_id is not None
            by_producer.setdefault(event_id.producer_id, []).append(event_id.sequence)

        assert len(set(event_ids)) == 400
        assert all(a < b for sequences in by_producer.values() for a, b in pairwise(sequences))
        assert [entry.offset for entry in entries] == list(range(1, 401))

    def test_sequences_have_no_gaps_within_a_partition(self, log: Log) -> None:
        for number in range(9):
            log.append(number % 3, b"a", AT)

        for partition in range(3):
            event_ids = [entry.event_id for entry in read(log, partition=partition)]
            assert [one and one.sequence for one in event_ids] == [0, 1, 2]

    def test_without_a_cached_page_nothing_is_appended(self, log: Log) -> None:
        before = log.append(0, b"a", AT).event_id

        assert log.append_cached(0, "page:7", AT) is None
        assert log.append(0, b"b", AT).event_id == before._replace(sequence=before.sequence + 1)
        assert bodies(read(log)) == [b"a", b"b"]

    def test_what_waits_is_after_the_position(self, log: Log) -> None:
        for number in range(4):
            log.append(0, b"a", AT + number)
        second = Position.of(read(log)[1])
        last = Position.of(read(log)[-1])

        for position in (None, second):
            waited = log.waited(0, position)
            assert waited is not None
            assert 0 <= waited < 3600  # since it was appended, whatever its time
        assert [log.pending(0, at) for at in (None, second, last)] == [4, 2, 0]
        assert log.waited(0, last) is None

    def test_trimming_keeps_the_position_and_what_follows(self, log: Log) -> None:
        for _ in range(1000):
            log.append(0, b"a", AT)
        position = Position.of(read(log)[500])

        trimmed = log.trim(0, position)

        assert 0 < trimmed <= 500
        assert log.length(0) == 1000 - trimmed
        assert len(read(log, position)) == log.pending(0, position) == 499

    def test_trimming_at_a_position_that_is_not_in_the_log_does_nothing(self, log: Log) -> None:
        for _ in range(1000):
            log.append(0, b"a", AT)
        entry = read(log)[500]
        assert entry.event_id is not None
        other = entry.event_id._replace(producer_id=entry.event_id.producer_id + 1)

        assert log.trim(0, Position(entry.id, other, entry.offset)) == 0
        assert log.length(0) == 1000

    def test_a_full_partition_refuses_and_takes_again_after_a_trim(self, small_log: Log) -> None:
        def fill() -> None:
            for _ in range(10_000):
                small_log.append(0, b"a" * 100, AT)

        with pytest.raises(Full):
            fill()
        length = small_log.length(0)
        small_log.append(1, b"another partition has room", AT)

        small_log.trim(0, Position.of(read(small_log)[-1]))
        small_log.append(0, b"room again", AT)

        assert 0 < small_log.length(0) < length
        assert read(small_log)[-1].body == b"room again"

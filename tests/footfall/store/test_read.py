"""Reading on from a position, also where a segment is corrupt or was compacted meanwhile."""

import logging
from collections.abc import Iterable

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from footfall.models import Projection, Segment, StorePosition
from footfall.store import read
from footfall.store.append import append
from footfall.store.builder import size_of
from footfall.store.compact import compact
from footfall.store.read import PositionLost, check_some, load, remember, scan, segments_after
from tests.support.store import all_stored, built, numbered, rows_of, store

pytestmark = pytest.mark.django_db
BEGINNING = StorePosition(0, 0, 0)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_remembered", read.Remembered())


@pytest.fixture
def segments() -> list[Segment]:
    """Five segments of two events each."""
    return [store(numbered(2, start=n)) for n in range(0, 10, 2)]


@pytest.fixture
def compacted(segments: list[Segment]) -> Segment:
    """The same as one segment; the others are what was listed before."""
    Projection.objects.create(name="totals:pages.content", number=5)
    assert compact() == 4
    return Segment.objects.get()


def position(segment: Segment) -> StorePosition:
    return StorePosition(segment.number, segment.key, 0)


def numbers(found: Iterable[Segment]) -> list[int]:
    return [segment.number for segment in found]


def test_segments_come_in_order_from_a_position_on(segments: list[Segment]) -> None:
    assert numbers(segments_after(BEGINNING)) == [1, 2, 3, 4, 5]
    assert numbers(segments_after(position(segments[2]))) == [4, 5]
    assert numbers(segments_after(position(segments[4]))) == []


def test_a_list_of_segments_has_no_data(segments: list[Segment]) -> None:
    assert all("data" in segment.get_deferred_fields() for segment in segments_after(BEGINNING))


@pytest.mark.parametrize(
    ("events", "expected"), [(1, [1]), (2, [1]), (3, [1, 2]), (4, [1, 2]), (99, [1, 2, 3, 4, 5])]
)
def test_a_list_ends_once_it_has_enough_events(
    segments: list[Segment], events: int, expected: list[int]
) -> None:
    assert numbers(segments_after(BEGINNING, events)) == expected


def test_a_position_that_the_store_does_not_have_is_lost(segments: list[Segment]) -> None:
    for lost in (StorePosition(3, segments[2].key + 1, 6), StorePosition(6, segments[4].key, 12)):
        with pytest.raises(PositionLost):
            segments_after(lost)


def test_a_position_inside_of_a_compacted_segment_is_lost(
    segments: list[Segment], compacted: Segment
) -> None:
    with pytest.raises(PositionLost):
        segments_after(position(segments[2]))
    assert numbers(segments_after(BEGINNING)) == [5]
    assert numbers(segments_after(position(segments[4]))) == []


def test_events_are_read_with_the_number_of_their_segment(segments: list[Segment]) -> None:
    events = load(segments_after(BEGINNING)[3])

    assert list(rows_of(events)) == numbered(2, start=6)
    assert [run.number for run in events.runs] == [4]


def test_a_segment_that_was_compacted_since_still_has_its_own_events(
    segments: list[Segment], compacted: Segment
) -> None:
    for place, segment in enumerate(segments):
        events = load(segment)
        assert list(rows_of(events)) == numbered(2, start=2 * place)
        assert [run.number for run in events.runs] == [segment.number]


def test_a_compacted_segment_is_read_from_any_number_on(
    segments: list[Segment], compacted: Segment
) -> None:
    for number in range(6):
        assert list(rows_of(load(compacted, after=number))) == numbered(10)[2 * number :]
    assert [run.number for run in load(compacted, after=3).runs] == [4, 5]


def test_a_segment_that_is_gone_or_another_one_is_lost(segments: list[Segment]) -> None:
    Segment.objects.filter(number=2).update(key=1)
    Segment.objects.filter(number__in=[3, 5]).delete()

    for place in (1, 2, 4):
        with pytest.raises(PositionLost):
            load(segments[place])


def test_new_segments_are_handed_over_without_reading(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        _before, (segment,) = append(built(numbered(3)), timezone.now())
    Segment.objects.update(data=b"")

    events = load(segments_after(BEGINNING)[0])

    assert list(rows_of(events)) == numbered(3)
    assert [run.number for run in events.runs] == [1]
    assert load(segment) is events


def test_what_was_not_committed_is_not_handed_over(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=False):
        _before, (segment,) = append(built(numbered(3)), timezone.now())

    assert read._remembered.get(segment) is None


def test_only_the_newest_are_handed_over(
    segments: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [built(numbered(100)) for _ in segments]
    monkeypatch.setattr(read, "MAX_REMEMBERED", 2 * size_of(events[0]))
    for segment, of_it in zip(segments, events, strict=True):
        remember(segment, of_it)
        remember(segment, of_it)

    assert [load(one) is of_it for one, of_it in zip(segments, events, strict=True)] == [
        False, False, False, True, True,
    ]  # fmt: skip


def test_what_was_handed_over_does_not_stand_for_what_was_compacted(
    segments: list[Segment], compacted: Segment
) -> None:
    remember(segments[4], built(numbered(2, start=8)))

    assert list(rows_of(load(compacted))) == numbered(10)
    assert list(rows_of(load(segments[4]))) == numbered(2, start=8)


@pytest.mark.parametrize("wrong", [{"data": b"?"}, {"checksum": 1}, {"version": 9}, {"events": 1}])
def test_a_corrupt_segment_is_told_once_and_has_no_events(
    segments: list[Segment], caplog: pytest.LogCaptureFixture, wrong: dict[str, object]
) -> None:
    Segment.objects.filter(number=2).update(**wrong)

    for _ in range(2):
        found = segments_after(BEGINNING)
        assert [len(load(segment)) for segment in found] == [2, 0, 2, 2, 2]

    assert numbers(Segment.objects.exclude(corrupt_at=None)) == [2]
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert len(told) == 1
    assert "segment 2 is corrupt" in told[0]


def test_a_segment_that_was_found_corrupt_has_no_events_for_any_reader(
    segments: list[Segment], caplog: pytest.LogCaptureFixture
) -> None:
    Segment.objects.filter(number=2).update(corrupt_at=timezone.now())

    assert [len(load(segment)) for segment in segments] == [2, 0, 2, 2, 2]
    assert not caplog.records


def test_a_row_that_was_compacted_since_is_not_marked(segments: list[Segment]) -> None:
    row = Segment.objects.get(number=5)
    row.data = b"?"
    Projection.objects.create(name="totals:pages.content", number=5)
    compact()

    assert not read.decoded(row)

    assert Segment.objects.get().corrupt_at is None


@pytest.mark.parametrize("start", range(6))
def test_segments_are_checked_from_a_random_one_on(
    segments: list[Segment], monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    monkeypatch.setattr("random.randint", lambda first, last: start)
    monkeypatch.setattr(read, "ROWS_PER_QUERY", 1)
    Segment.objects.update(checksum=1)

    check_some(max(len(one.data) for one in segments) + 1)

    expected = sorted((start + n) % 5 + 1 for n in range(2))
    assert numbers(Segment.objects.exclude(corrupt_at=None).order_by("number")) == expected
    check_some(10**9)
    assert not Segment.objects.filter(corrupt_at=None).exists()


def test_a_scan_yields_what_overlaps_a_time(segments: list[Segment]) -> None:
    at = [segment.first_at for segment in segments]

    def found(since: int | None, until: int | None) -> list[int]:
        return numbers(segment for segment, _events in scan(since, until))

    assert found(None, None) == [1, 2, 3, 4, 5]
    assert found(at[2], at[3]) == [3]
    assert found(at[2] + 1, at[3] + 1) == [3, 4]
    assert found(at[4] + 1_001, None) == []
    assert found(None, at[0]) == []


def test_a_scan_ends_where_the_store_ended(segments: list[Segment]) -> None:
    found = []
    for segment, _events in scan():
        found.append(segment.number)
        assert len(found) < 10
        store(numbered(1))

    assert found == [1, 2, 3, 4, 5]


def test_a_scan_yields_each_event_once_while_segments_come_and_are_compacted(
    segments: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "ROWS_PER_QUERY", 1)
    Projection.objects.create(name="totals:pages.content", number=99)
    found = []

    for segment, events in scan():
        found += list(rows_of(events))
        if segment.number == 2:
            store(numbered(90, start=10))
            assert compact()
        elif segment.number == 5:
            store(numbered(1, start=100))

    assert found == numbered(10)
    assert all_stored() == numbered(101)

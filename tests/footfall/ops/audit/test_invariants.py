"""What the audit says about the event store."""

import pytest
from django.db.models import F
from django.utils import timezone

from footfall.models import Partition, Projection, Segment, StoreHead
from footfall.ops.audit.invariants import broken_store, corrupt_segments, unaccounted_events
from footfall.store.compact import compact
from tests.support.store import numbered, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored() -> None:
    """Three segments of partition 1, beside dead letters and what was counted before."""
    for n in range(3):
        store(numbered(2, start=n, partition=1))
    Partition.objects.create(number=0, events=70, events_before_store=70)
    Partition.objects.create(
        number=1, events=109, events_before_store=100, dropped={"dead_letter": 3, "other": 9}
    )


def test_an_empty_store_is_right() -> None:
    assert not [*broken_store(), *corrupt_segments(), *unaccounted_events()]


@pytest.mark.usefixtures("stored")
def test_what_was_stored_and_compacted_is_right() -> None:
    assert not [*broken_store(), *corrupt_segments(), *unaccounted_events()]
    for n in range(3):
        store(numbered(2, start=n, partition=1))
    Partition.objects.filter(number=1).update(events=F("events") + 6)
    Projection.objects.create(name="totals:pages.content", number=6)
    assert compact() == 5
    assert not [*broken_store(), *corrupt_segments(), *unaccounted_events()]


@pytest.mark.usefixtures("stored")
def test_events_that_were_taken_and_not_stored_are_said() -> None:
    Partition.objects.filter(number=1).update(events=110)

    assert list(unaccounted_events()) == ["event store: 6 events, partitions: 7"]


@pytest.mark.usefixtures("stored")
def test_a_segment_that_is_missing_is_said() -> None:
    Segment.objects.filter(number=2).delete()

    assert list(broken_store()) == [
        "event store: 6 events, the segments have 4",
        "segment 3: begins at 3, the one before ends at 1",
    ]


@pytest.mark.usefixtures("stored")
def test_the_last_segment_is_the_end() -> None:
    Segment.objects.filter(number=3).update(key=1)
    assert list(broken_store()) == ["event store: its end has another key than segment 3"]

    Segment.objects.filter(number=3).delete()
    assert "event store: its end is segment 3, the last one is 2" in set(broken_store())

    StoreHead.objects.all().delete()
    assert list(broken_store()) == ["event store: it has segments and no end"]


@pytest.mark.usefixtures("stored")
def test_a_segment_that_has_other_events_than_its_partitions_is_said() -> None:
    Segment.objects.filter(number=2).update(partitions={"0": 1, "1": 2})

    assert list(broken_store()) == ["segment 2: 2 events, 3 in its partitions"]


@pytest.mark.usefixtures("stored")
def test_corrupt_segments_are_said() -> None:
    Segment.objects.filter(number=2).update(corrupt_at=timezone.now())
    Segment.objects.filter(number=3).update(data=b"?")

    assert list(corrupt_segments()) == [
        "segment 2: corrupt, 2 events cannot be read",
        "segment 3: corrupt, 2 events cannot be read",
    ]

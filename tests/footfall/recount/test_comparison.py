"""Counters against rollups, adjustments and event store, at whichever position each of them is."""

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from catalog.pages.models import Content, Page
from footfall import sql
from footfall.eventlog import RedisLog
from footfall.flush import flush, ingest, project
from footfall.models import Audit, Carried, Projection, Segment
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import differences, run_audit
from footfall.projections.run import apply_new_events
from footfall.record import record
from footfall.recount import comparison
from footfall.recount import gap as gaps
from footfall.recount.comparison import Difference, compare
from footfall.recount.gap import Gap, Incomparable
from footfall.registry import content_type_of
from footfall.store import read
from footfall.store.compact import compact
from footfall.store.segment import Events
from tests.support.concurrency import meanwhile, run_at_once
from tests.support.views import AT, HOUR, Counts, store_views

pytestmark = pytest.mark.django_db

AHEAD = {
    "counters": lambda: apply_new_events(force=True, kinds=["totals"]),
    "rollups": lambda: apply_new_events(force=True, kinds=["hourly"]),
}


@pytest.fixture(params=AHEAD)
def ahead(
    request: pytest.FixtureRequest, log: RedisLog, page: Page, contents: list[Content]
) -> str:
    """Two contents have three views; of two segments more only counters or rollups know.

    There the first content has three views and the second has one.
    """
    first, second = contents[0].pk, contents[1].pk
    store_views(log, *[(AT, [first, second])] * 3)
    flush()
    store_views(log, (AT, [first, second]), (AT + HOUR, [first]))
    ingest()
    store_views(log, (AT, [first]))
    ingest()
    AHEAD[request.param]()
    return str(request.param)


def test_counters_and_rollups_may_be_at_different_positions(
    ahead: str, counts: Counts, contents: list[Content]
) -> None:
    assert counts() == ([6, 4, 0] if ahead == "counters" else [3, 3, 0])
    assert not list(differences())
    project(force=True)
    assert not list(differences())


def test_a_counter_that_is_wrong_by_what_is_between_is_found(
    ahead: str, counts: Counts, contents: list[Content]
) -> None:
    """It has what the rollups have, and should not."""
    first, second = contents[0].pk, contents[1].pk
    rolled = {first: 3, second: 3} if ahead == "counters" else {first: 6, second: 4}
    for target, views in rolled.items():
        Content.objects.filter(pk=target).update(counter=views)
    right = [6, 4] if ahead == "counters" else [3, 3]

    found = list(differences())

    assert found == [
        Difference("pages.content", target, rolled[target], expected)
        for target, expected in zip((first, second), right, strict=True)
    ]
    list(run_audit(Audit(), repair=True))
    assert not list(differences())
    project(force=True)
    assert counts() == [6, 4, 0]
    assert not list(differences())


@pytest.mark.parametrize("chunk_size", [1, 2])
def test_segments_between_are_read_once(
    ahead: str, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(comparison, "CHUNK_SIZE", chunk_size)
    numbers: list[int] = []

    def load(segment: Segment) -> Events:
        numbers.append(segment.number)
        return read.load(segment)

    monkeypatch.setattr(gaps, "load", load)

    assert not list(compare(Gap("pages.content")))

    assert numbers == [2, 3]


def test_positions_that_move_while_they_are_compared(
    log: RedisLog, contents: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "CHUNK_SIZE", 1)
    ids = [content.pk for content in contents]
    store_views(log, *[(AT, ids)] * 3)

    def view(viewed: list[int]) -> None:
        store_views(log, (AT, viewed))
        ingest()
        AHEAD["rollups"]()

    steps: list[Callable[[], object]] = [
        ingest,
        AHEAD["counters"],
        lambda: view(ids),
        lambda: view(ids[:2]),
        AHEAD["counters"],
    ]

    def step(*progress: object) -> None:
        if steps:
            steps.pop(0)()

    gap = Gap("pages.content")
    found = list(compare(gap, step))
    while steps:
        step()
        found += compare(gap)

    assert not found
    assert not gap.views


def test_a_position_that_compaction_has_passed_is_left(
    ahead: str, log: RedisLog, contents: list[Content]
) -> None:
    gap = Gap("pages.content")
    assert not list(compare(gap))
    for _ in range(20):
        store_views(log, (AT, [contents[0].pk]))
        ingest()
    flush()
    Segment.objects.update(stored_at=timezone.now() - timedelta(hours=1))
    assert compact()
    assert Segment.objects.count() == 1

    assert not list(compare(gap))
    assert not gap.views


def test_carried_over_views_belong_to_the_counter(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    for _ in range(3):
        record(page, contents)
    flush()
    carry(contents[0], 2)

    assert list(differences()) == [Difference("pages.content", contents[0].pk, 3, 1)]
    Content.objects.filter(pk=contents[0].pk).update(counter=1)
    assert not list(differences())

    Content.objects.filter(pk=contents[0].pk).update(counter=9)
    list(run_audit(Audit(), repair=True))
    assert Content.objects.get(pk=contents[0].pk).counter == 1
    project(force=True)
    assert counts() == [3, 3, 3]
    assert not list(differences())


def carry(content: Content, views: int) -> None:
    kind = content_type_of(Content)
    Carried.objects.create(content_type=kind, target_id=content.pk, views=views, since=AT)


def test_adjustments_belong_to_the_counter_while_rollups_are_behind(
    ahead: str, contents: list[Content]
) -> None:
    adjust(Content, contents[0].pk, to=1, why="a robot")

    assert not list(differences())
    project(force=True)
    assert not list(differences())


def test_a_position_that_the_store_does_not_have_is_no_difference(
    ahead: str, contents: list[Content]
) -> None:
    Projection.objects.filter(name="totals:pages.content").update(number=99, key=99)
    audit = Audit()

    lines = list(run_audit(audit, repair=True))

    assert audit.differences == 0
    assert [line for line in lines if line.startswith("pages.content: not compared")]
    assert not audit.is_clean


def test_a_projection_that_is_alone_is_no_difference(ahead: str) -> None:
    Projection.objects.filter(name="totals:pages.content").delete()

    with pytest.raises(Incomparable, match="its only projection is hourly"):
        list(differences())


def test_positions_that_are_too_far_apart_are_not_compared(
    ahead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MAX_EVENTS", 2)

    with pytest.raises(Incomparable, match="two positions are 3 events apart"):
        list(differences())


def test_projections_are_brought_close_before(ahead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "NEAR_EVENTS", 2)
    monkeypatch.setattr(gaps, "MAX_EVENTS", 2)

    assert not list(differences())


def test_views_are_not_taken_away_while_a_segment_cannot_be_read(
    page: Page, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be in the counters, and the rollups cannot have them any more."""
    for _ in range(3):
        record(page, contents)
    flush()
    record(page, contents)
    ingest()
    AHEAD["counters"]()
    Segment.objects.filter(number=2).update(data=b"?", corrupt_at=timezone.now())
    monkeypatch.setattr(read, "_remembered", read.Remembered())  # another process
    AHEAD["rollups"]()
    Content.objects.filter(pk=contents[2].pk).update(counter=2)
    audit = Audit()

    lines = list(run_audit(audit, repair=True))

    assert counts() == [4, 4, 3]  # what was too low is repaired
    assert not audit.is_clean
    assert f"pages.content {contents[2].pk}: counter 2, events say 3; set to 3" in lines
    unknown = "counters are higher than what is left says, which may be right"
    assert f"pages.content: segments 2 cannot be read; 2 {unknown}" in lines
    assert f"pages.page: segments 2 cannot be read; 1 {unknown}" in lines


@pytest.mark.django_db(transaction=True)
def test_views_that_are_counted_meanwhile_are_no_difference(
    page: Page, contents: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With projections that move one by one, so that they are at different positions mostly."""
    monkeypatch.setattr(comparison, "CHUNK_SIZE", 2)
    over = threading.Event()

    def count() -> None:
        for rounds in itertools.count():
            if over.is_set():
                break
            record(page, contents[rounds % 2 :])
            ingest()
            AHEAD["rollups" if rounds % 3 == 1 else "counters"]()
        connection.close()

    with meanwhile(count):
        try:
            for _ in range(8):
                assert not list(differences())
        finally:
            over.set()
    flush()
    assert not list(differences())


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_does_not_see_what_is_committed_meanwhile(page: Page) -> None:
    def rename() -> None:
        Page.objects.filter(pk=page.pk).update(title="Another")

    names = Page.objects.filter(pk=page.pk).values_list("title", flat=True)
    with sql.snapshot():
        before = names.get()
        run_at_once([rename])
        assert names.get() == before
    assert names.get() == "Another"

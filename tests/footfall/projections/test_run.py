"""Projections move one by one: what holds up one of them holds up no other."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.pages.models import Content, Page
from footfall.models import Projection, Segment
from footfall.ops.audit.run import differences
from footfall.projections import batch, hourly, rows, run, totals
from footfall.projections.batch import Batch, read_batch
from footfall.projections.rows import BEGINNING
from footfall.projections.run import PROJECTORS, Delays, Projector, apply_new_events
from footfall.sql import Conflict
from tests.support.concurrency import in_transaction, locked
from tests.support.failpoints import PROJECT
from tests.support.projections import positions, rolled_up, view
from tests.support.views import AT, HOUR, Counts

pytestmark = pytest.mark.django_db
MODELS = ("pages.content", "pages.page")
VIEWS = {f"{kind}:{label}" for kind in ("totals", "hourly") for label in MODELS}
ALL = VIEWS | {f"visitors:{label}" for label in MODELS}


class Boom(Exception):
    """What a projection raises."""


class Crash(BaseException):
    """Stands for a kill."""


@pytest.fixture
def ids(contents: list[Content]) -> list[int]:
    return [content.pk for content in contents]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of projections that raise when they have applied the events."""
    names: set[str] = set()

    def move(row: Projection, *arguments: object) -> None:
        rows.move(row, *arguments)  # type: ignore[arg-type]
        if row.name in names:
            raise Boom("the disk is full")

    for module in (totals, hourly):
        monkeypatch.setattr(module, "move", move)
    return names


def only(projection: str) -> Projection:
    return Projection.objects.get(name=projection)


def let_pass(seconds: float) -> None:
    for row in Projection.objects.all():
        assert row.moved_at
        row.moved_at -= timedelta(seconds=seconds)
        row.save()


def test_every_projection_moves_to_the_end(page: Page, ids: list[int], counts: Counts) -> None:
    view({"pages.page": [page.pk], "pages.content": ids})
    end = view({"pages.content": ids[:1]}, times=2)

    projected = apply_new_events()

    assert {*projected.moved} == ALL
    assert not projected.more
    assert {row.position for row in Projection.objects.all()} == {end}
    assert counts() == [3, 1, 1]
    assert not list(differences())


def test_nothing_new_writes_nothing(ids: list[int]) -> None:
    view({"pages.content": ids})
    apply_new_events(force=True)

    with CaptureQueriesContext(connection) as queries:
        projected = apply_new_events(force=True)

    assert projected.moved == []
    assert all(q["sql"].startswith("SELECT") for q in queries)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_one_that_raises_is_alone_behind(
    page: Page, ids: list[int], counts: Counts, raising: set[str], name: str
) -> None:
    raising.add(name)
    view({"pages.page": [page.pk], "pages.content": ids})

    projected = apply_new_events()

    assert projected.failed == [name]
    assert positions() == {one: int(one != name) for one in ALL}
    assert counts() == ([0, 0, 0] if name == "totals:pages.content" else [1, 1, 1])
    row = only(name)
    assert row.error == "Boom: the disk is full"
    assert row.failed_at is not None
    assert not Projection.objects.exclude(name=name).exclude(failed_at=None).exists()

    raising.clear()
    assert apply_new_events(force=True).moved == [name]
    assert set(positions().values()) == {1}
    assert counts() == [1, 1, 1]
    assert (only(name).failed_at, only(name).error) == (None, "")
    assert not list(differences())


def test_one_that_raises_again_keeps_since_when(ids: list[int], raising: set[str]) -> None:
    raising.add("totals:pages.content")
    view({"pages.content": ids})
    apply_new_events()
    since = only("totals:pages.content").failed_at

    apply_new_events(force=True)

    assert only("totals:pages.content").failed_at == since


def test_one_that_has_raised_is_left_alone_for_a_while(
    ids: list[int], counts: Counts, raising: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(run, "delays", Delays(lambda: now[0]))
    raising.add("totals:pages.content")
    view({"pages.content": ids})
    apply_new_events()
    raising.clear()

    now[0] = 0.9
    assert apply_new_events().failed == ["totals:pages.content"]
    assert counts() == [0, 0, 0]

    now[0] = 1.0
    assert apply_new_events().moved == ["totals:pages.content"]
    assert counts() == [1, 1, 1]


def test_the_delays_grow_up_to_a_minute() -> None:
    now = [0.0]
    delays = Delays(lambda: now[0])
    waits = []
    for _ in range(9):
        delays.failed("one")
        began = now[0]
        while not delays.is_over("one"):
            now[0] += 0.5
        waits.append(now[0] - began)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert delays.is_over("another")
    delays.succeeded("one")
    delays.failed("one", longest=1.0)
    delays.failed("one", longest=1.0)
    now[0] += 1.0
    assert delays.is_over("one")


def test_a_model_that_is_not_known_waits_for_one_who_knows_it(
    ids: list[int], counts: Counts
) -> None:
    view({"shop.product": [1], "pages.content": ids})
    rows.open_projections(["shop.basket"], BEGINNING)

    projected = apply_new_events()

    assert counts() == [1, 1, 1]
    assert {*projected.unknown} == {"totals:shop.product", "hourly:shop.product"}
    assert not projected.more
    assert positions()["totals:shop.product"] == 0
    assert positions()["totals:shop.basket"] == positions()["hourly:shop.basket"] == 1
    assert only("totals:shop.product").failed_at is None


def test_those_without_a_view_are_moved_together(page: Page, ids: list[int]) -> None:
    view({"pages.page": [page.pk], "pages.content": ids})
    apply_new_events(force=True)
    view({"pages.page": [page.pk]})

    with CaptureQueriesContext(connection) as queries:
        projected = apply_new_events(force=True)

    updates = [q["sql"] for q in queries if q["sql"].startswith("UPDATE")]
    moves = [sql for sql in updates if "counters_projection" in sql]
    # Totals and hourly of pages; both of contents; visitors of both, of whom there are none.
    assert len(moves) == 4
    assert {*projected.moved} == ALL
    assert set(positions().values()) == {2}
    noted = {one.label: (one.first, one.last, one.counters) for one in projected.applied}
    assert noted == {"pages.page": (2, 2, {page.pk: 2}), "pages.content": (2, 2, {})}


def test_series_wait_until_there_are_some_seconds_of_views(
    contents: list[Content], ids: list[int]
) -> None:
    view({"pages.content": ids})
    apply_new_events()
    view({"pages.content": ids}, times=3)

    assert apply_new_events().moved == ["totals:pages.content"]
    assert rolled_up(contents[0]) == 1
    assert not list(differences())

    let_pass(9)
    assert apply_new_events().moved == []
    let_pass(1)
    assert apply_new_events().moved == ["hourly:pages.content"]
    assert rolled_up(contents[0]) == 4
    assert not list(differences())


def test_a_clock_that_was_set_back_delays_no_series(ids: list[int]) -> None:
    view({"pages.content": ids})
    apply_new_events()
    Projection.objects.update(moved_at=timezone.now() + timedelta(days=1))
    view({"pages.content": ids})

    assert "hourly:pages.content" in apply_new_events().moved


def test_a_backlog_of_series_does_not_wait(contents: list[Content], ids: list[int]) -> None:
    view({"pages.content": ids})
    apply_new_events()
    for _ in range(3):
        view({"pages.content": ids}, times=2)

    assert "hourly:pages.content" in apply_new_events(max_events=5).moved


def test_counters_and_series_at_different_positions(
    page: Page, contents: list[Content], ids: list[int], counts: Counts
) -> None:
    for number in range(6):
        view({"pages.page": [page.pk], "pages.content": ids}, at=AT + number * HOUR)
        apply_new_events(kinds=["totals"])
        if number == 2:
            apply_new_events(force=True, kinds=["hourly"], max_events=1)
            assert positions()["hourly:pages.content"] == 1
        assert not list(differences())

    assert counts() == [6, 6, 6]
    assert rolled_up(contents[0]) == 1
    while apply_new_events(force=True, max_events=2).more:
        assert not list(differences())
    assert rolled_up(contents[0]) == 6
    assert set(positions().values()) == {6}


def test_a_backlog_is_applied_in_bounded_transactions(ids: list[int], counts: Counts) -> None:
    for _ in range(5):
        view({"pages.content": ids}, times=10)

    seen = []
    more = True
    while more:
        more = apply_new_events(max_events=20).more
        seen.append(counts()[0])

    assert seen == [20, 40, 50]


def test_segments_that_name_very_many_targets_come_one_by_one(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "rows_per_transaction", lambda: 3)
    for _ in range(3):
        view({"pages.content": ids}, times=10)

    assert [read_batch(BEGINNING, 1000).until.events for _ in range(2)] == [10, 10]


def test_a_store_from_a_backup_stops_its_projections(
    ids: list[int], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    view({"pages.content": ids})
    apply_new_events(force=True)
    view({"pages.content": ids})
    Segment.objects.filter(number=1).update(key=12345)

    projected = apply_new_events(force=True)

    assert {*projected.failed} == {f"{kind}:pages.content" for kind in rows.KINDS}
    assert counts() == [1, 1, 1]
    assert set(positions().values()) == {1}
    assert "PositionLost" in only("totals:pages.content").error


def test_what_another_process_has_moved_has_not_failed(
    ids: list[int], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may find its segments compacted, which is no loss of the position."""
    view({"pages.content": ids})

    def read(*arguments: object, **options: object) -> Batch:
        monkeypatch.undo()
        apply_new_events(force=True)
        raise Boom

    monkeypatch.setattr(run, "read_batch", read)
    projected = apply_new_events()

    assert projected.failed == []
    assert {*projected.waiting} == {"totals:pages.content", "hourly:pages.content"}
    assert only("totals:pages.content").error == ""
    assert counts() == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no locks of rows")
def test_a_projection_that_another_process_applies_is_left_to_it(
    page: Page, ids: list[int], counts: Counts
) -> None:
    view({"pages.page": [page.pk], "pages.content": ids})

    with locked(Projection.objects.filter(name="totals:pages.content")):
        projected = apply_new_events()

    assert projected.waiting == ["totals:pages.content"]
    assert counts() == [0, 0, 0]
    page.refresh_from_db()
    assert page.counter == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no locks of rows")
def test_nothing_is_applied_to_a_model_whose_projections_are_locked(
    page: Page, ids: list[int], counts: Counts
) -> None:
    view({"pages.page": [page.pk], "pages.content": ids})

    with in_transaction(lambda: rows.lock("pages.content")):
        projected = apply_new_events()

    assert {*projected.waiting} == {"totals:pages.content", "hourly:pages.content"}
    assert {*projected.moved} == {f"{kind}:pages.page" for kind in rows.KINDS}
    apply_new_events(force=True)
    assert counts() == [1, 1, 1]


@pytest.mark.parametrize("place", [place for place in PROJECT if "_" in place])
def test_positions_and_effects_move_together(
    contents: list[Content],
    ids: list[int],
    counts: Counts,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(name: str) -> None:
        if name == place:
            raise Crash

    view({"pages.content": ids}, times=2)
    with monkeypatch.context() as patch:
        for module in (totals, hourly):
            patch.setattr(module, "failpoint", crash)
        if place.startswith(("totals", "hourly")):
            with pytest.raises(Crash):
                apply_new_events()

    assert counts()[0] == 2 * positions()["totals:pages.content"]
    assert rolled_up(contents[0]) == 2 * positions()["hourly:pages.content"]
    apply_new_events(force=True)
    assert counts() == [2, 2, 2]
    assert rolled_up(contents[0]) == 2
    assert not list(differences())


def test_models_without_a_view_get_their_rows_at_the_end(ids: list[int]) -> None:
    end = view({"pages.content": ids})
    rows.open_missing(["pages.content", "pages.page"])
    rows.open_missing(["pages.content", "pages.page"])

    assert only("totals:pages.page").position == only("hourly:pages.page").position == end
    assert only("totals:pages.content").position == BEGINNING


def test_a_position_that_has_changed_is_not_overwritten(ids: list[int]) -> None:
    view({"pages.content": ids})
    row = only("totals:pages.content")
    apply_new_events()

    with pytest.raises(Conflict):
        rows.move(row, row.position, {})


def test_every_projector_has_a_row() -> None:
    assert [*PROJECTORS] == [*rows.KINDS]
    assert all(isinstance(one, Projector) for one in PROJECTORS.values())

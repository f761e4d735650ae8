"""The projection `visitors`: people by target and day, taken from the events of the store."""

import tracemalloc
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from catalog.pages.models import Content, Page
from footfall.flush import flush_all
from footfall.models import (
    Agent,
    Kind,
    Projection,
    Reclassification,
    Segment,
    StorePosition,
    VisitorSketch,
)
from footfall.projections import rows, run
from footfall.projections.compact import compact
from footfall.projections.rows import BEGINNING
from footfall.projections.run import apply_new_events
from footfall.projections.visitors import daily as visitors
from footfall.projections.visitors.daily import read_visits
from footfall.projections.visitors.distinct import (
    distinct_in,
    distinct_in_all,
    distinct_of,
    visitors_in,
    visitors_of,
    visitors_of_all,
)
from footfall.recount.visitors import recount_noted
from tests.support.concurrency import in_transaction
from tests.support.crashes import Crash
from tests.support.failpoints import VISITORS
from tests.support.pages import make_text
from tests.support.visits import (
    DAY,
    ROBOT,
    TODAY,
    counted,
    day_at,
    know_agents,
    people,
    visit,
)

pytestmark = pytest.mark.django_db
LABEL = "pages.content"
WITHIN = 0.02


@pytest.fixture(autouse=True)
def agents(db: None) -> None:
    know_agents()


@pytest.fixture
def ids(agents: None) -> list[int]:
    """The ids of three contents."""
    return sorted(make_text().pk for _ in range(3))


def project(max_events: int = 500_000) -> None:
    while apply_new_events(force=True, kinds=["visitors"], max_events=max_events).more:
        pass


def test_each_person_counts_once_a_day(ids: list[int]) -> None:
    first, second, third = people(3)
    visit({LABEL: ids[:2]}, [first, first, second])
    visit({LABEL: ids[1:]}, [second, third])
    project()

    assert counted() == {0: 3, ids[0]: 2, ids[1]: 3, ids[2]: 2}
    visit({LABEL: ids[:1]}, [first, third])
    project()
    assert counted() == {0: 3, ids[0]: 3, ids[1]: 3, ids[2]: 2}


def test_only_people_that_are_known_to_be_visitors_count(ids: list[int]) -> None:
    one, other = people(2)
    visit({LABEL: ids[:1]}, [one], agent=ROBOT)
    visit({LABEL: ids[:1]}, [one], agent=0)
    visit({LABEL: ids[:1]}, [one], agent=987)
    visit({LABEL: ids[:1]}, [0])
    project()
    assert counted() == {}

    visit({LABEL: ids[:1]}, [other])
    project()
    assert counted() == {0: 1, ids[0]: 1}


def test_a_day_ends_at_midnight_and_late_events_are_of_their_day(ids: list[int]) -> None:
    one, other = people(2)
    tomorrow = TODAY + DAY
    visit({LABEL: ids[:1]}, [one], at=tomorrow - 1)
    visit({LABEL: ids[:1]}, [one, other], at=tomorrow)
    project()
    visit({LABEL: ids[:1]}, [other], at=TODAY)
    project()

    assert counted(TODAY) == counted(tomorrow) == {0: 2, ids[0]: 2}


def test_events_of_two_days_in_one_segment(ids: list[int]) -> None:
    tomorrow = TODAY + DAY
    visit({LABEL: ids[:1]}, people(3), at=[TODAY, tomorrow - 1, tomorrow])
    project()

    assert counted(TODAY) == {0: 2, ids[0]: 2}
    assert counted(tomorrow) == {0: 1, ids[0]: 1}


@pytest.mark.parametrize("number", [2_500, 20_000])
def test_a_simulation_is_within_the_error(ids: list[int], number: int) -> None:
    """Everybody views the first content, every fifth the second; pages share half of theirs."""
    everybody = people(number, seed=number)
    for start in range(0, number, 4_000):
        some = everybody[start : start + 4_000]
        visit({LABEL: ids[:1]}, some + some[::2])
        visit({LABEL: ids[1:]}, some[::5])
        visit({LABEL: ids[2:]}, some[1::2], agent=ROBOT)
    project(max_events=6_000)

    truth = {0: number, ids[0]: number, ids[1]: number / 5, ids[2]: number / 5}
    for target, wanted in truth.items():
        assert counted()[target] == pytest.approx(wanted, rel=WITHIN if wanted > 3_000 else 0)
    together = distinct_of(Content, ids[1:], day_at(), day_at(TODAY + DAY))
    assert together[day_at()] == pytest.approx(number / 5, rel=WITHIN)


def test_several_targets_together_are_a_union(page: Page, ids: list[int]) -> None:
    first, second, third = people(3)
    tomorrow = TODAY + DAY
    visit({LABEL: ids[:1], "pages.page": [page.pk]}, [first, second])
    visit({LABEL: ids[1:2]}, [second, third])
    visit({LABEL: ids[1:2]}, [first], at=tomorrow)
    project()
    days = day_at(), day_at(tomorrow + DAY)

    assert visitors_of(Content, ids, *days) == {
        ids[0]: {day_at(): 2},
        ids[1]: {day_at(): 2, day_at(tomorrow): 1},
        ids[2]: {},
    }
    assert distinct_of(Content, ids, *days) == {day_at(): 3, day_at(tomorrow): 1}
    assert visitors_of_all(Content, *days) == {day_at(): 3, day_at(tomorrow): 1}
    assert distinct_in_all(*days) == {day_at(): 3, day_at(tomorrow): 1}
    assert distinct_of(Content, ids, days[0], day_at(tomorrow)) == {day_at(): 3}


def test_days_are_a_sum_unless_the_salt_is_longer(ids: list[int], settings: object) -> None:
    one, other = people(2)
    visit({LABEL: ids[:2]}, [one, other])
    visit({LABEL: ids[1:2]}, [other], at=TODAY + DAY)
    project()
    days = day_at(), day_at(TODAY + 2 * DAY)

    assert visitors_in(Content, ids, *days) == {ids[0]: 2, ids[1]: 3, ids[2]: 0}
    assert distinct_in(Content, ids, *days) == 3
    settings.COUNTERS_VISITOR_DAYS = 30  # type: ignore[attr-defined]
    assert visitors_in(Content, ids, *days) == {ids[0]: 2, ids[1]: 2, ids[2]: 0}
    assert distinct_in(Content, ids, *days) == 2


@pytest.mark.parametrize("place", VISITORS["project"])
def test_a_kill_takes_nobody_twice(
    ids: list[int], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(name: str) -> None:
        if name == place:
            raise Crash

    visit({LABEL: ids}, people(3))
    with monkeypatch.context() as patch:
        patch.setattr(visitors, "failpoint", crash)
        with pytest.raises(Crash):
            project()

    is_done = Projection.objects.get(name=f"visitors:{LABEL}").number == 1
    assert counted() == ({0: 3} | dict.fromkeys(ids, 3) if is_done else {})
    project()
    assert counted() == {0: 3} | dict.fromkeys(ids, 3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no locks of rows")
def test_one_process_at_a_time_applies_it(ids: list[int]) -> None:
    visit({LABEL: ids}, people(3))

    with in_transaction(lambda: rows.lock(LABEL, ["visitors"])):
        projected = apply_new_events(force=True)

    assert projected.waiting == [f"visitors:{LABEL}"]
    assert f"totals:{LABEL}" in projected.moved
    assert counted() == {}


def test_it_waits_for_its_interval(ids: list[int]) -> None:
    visit({LABEL: ids}, people(3))
    assert f"visitors:{LABEL}" in apply_new_events().moved
    visit({LABEL: ids}, people(4))

    assert f"visitors:{LABEL}" not in apply_new_events().moved
    Projection.objects.update(moved_at=timezone.now() - timedelta(seconds=301))
    assert f"visitors:{LABEL}" in apply_new_events().moved
    assert counted()[0] == 4


def test_a_flush_waits_for_it(ids: list[int], own_log: object) -> None:
    visit({LABEL: ids}, people(3))

    flush_all()

    assert counted()[0] == 3


def test_other_verdicts_are_waited_for(ids: list[int]) -> None:
    visit({LABEL: ids}, people(3))
    Projection.objects.update(verdicts=5)

    projected = apply_new_events(force=True, kinds=["visitors"])

    assert projected.waiting == [f"visitors:{LABEL}"]
    assert counted() == {}


@pytest.mark.parametrize("number", [0, 2])
def test_verdicts_that_change_while_events_are_read(
    ids: list[int], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the ones before saw any person in the events, or none."""

    def read(position: StorePosition, max_events: int) -> visitors.Visits:
        visits = read_visits(position, max_events)
        monkeypatch.undo()
        Agent.objects.filter(hash=ROBOT).update(kind=Kind.PERSON)
        Reclassification.objects.create(version=5, token=1)
        Projection.objects.update(verdicts=5)
        return visits

    visit({LABEL: ids[:1]}, people(3), agent=ROBOT)
    if number:
        visit({LABEL: ids[:1]}, people(number))
    monkeypatch.setattr(run, "read_visits", read)
    apply_new_events(force=True, kinds=["visitors"])
    assert counted() == {}

    project()
    assert counted() == {0: 3, ids[0]: 3}


def test_a_corrupt_segment_has_nobody(ids: list[int]) -> None:
    visit({LABEL: ids}, people(3))
    visit({LABEL: ids}, people(2, seed=9))
    Segment.objects.filter(number=1).update(data=b"?")
    project()

    assert counted()[0] == 2


def test_a_damaged_sketch_holds_nothing_up_and_is_counted_again(
    ids: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    visit({LABEL: ids}, people(3))
    project()
    VisitorSketch.objects.filter(target_id__in=[0, ids[0]]).update(sketch=b"?")
    visit({LABEL: ids}, people(4))

    projected = apply_new_events(force=True)

    assert not projected.failed
    assert f"the visitors of {LABEL} {ids[0]}, {day_at()} are counted again" in caplog.text
    assert counted() == {0: 3, ids[0]: 3, ids[1]: 4, ids[2]: 4}
    assert distinct_of(Content, ids, day_at(), day_at(TODAY + DAY)) == {day_at(): 4}
    assert distinct_in_all(day_at(), day_at(TODAY + DAY)) == {}
    recount_noted()
    assert counted() == {0: 4} | dict.fromkeys(ids, 4)


def test_sketches_that_did_not_change_are_not_written(ids: list[int]) -> None:
    visit({LABEL: ids}, people(3))
    project()
    VisitorSketch.objects.update(visitors=99)
    visit({LABEL: ids[:1]}, people(3))
    project()

    assert {*counted().values()} == {99}


def test_old_days_keep_the_number_alone(ids: list[int], settings: object) -> None:
    settings.COUNTERS_HOURLY_DAYS = 31  # type: ignore[attr-defined]
    old = int((timezone.now() - timedelta(days=40)).timestamp() * 1000)
    now = int(timezone.now().timestamp() * 1000)
    for at in (old, now):
        visit({LABEL: ids[:1]}, people(3), at=at)
    project()
    compact()
    visit({LABEL: ids[:1]}, people(9), at=old)
    project()

    assert counted(old) == counted(now) == {0: 3, ids[0]: 3}
    kept = VisitorSketch.objects.filter(day=day_at(old)).values_list("sketch", flat=True)
    assert {*map(bytes, kept)} == {b""}
    assert visitors_in(Content, ids[:1], day_at(old), day_at(now + DAY)) == {ids[0]: 6}


def test_deleted_targets_leave_and_stay_in_the_sum_of_all(ids: list[int]) -> None:
    visit({LABEL: ids}, people(3))
    project()
    Content.objects.filter(pk=ids[0]).delete()
    compact()

    assert counted() == {0: 3, ids[1]: 3, ids[2]: 3}


def test_what_is_read_at_once_is_bounded(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MAX_EVENTS", 10)
    for seed in range(4):
        visit({LABEL: ids}, people(6, seed))

    assert read_visits(BEGINNING, 1_000).until.events == 12
    project()
    assert counted()[0] == 24


def test_memory_is_bounded(ids: list[int]) -> None:
    """40,000 different visitors of one body take less than 16 MB to count."""
    everybody = people(40_000)
    for start in range(0, 40_000, 20_000):
        visit({LABEL: ids}, everybody[start : start + 20_000])
    tracemalloc.start()
    try:
        project()
        _size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * 1024**2
    assert counted()[0] == pytest.approx(40_000, rel=WITHIN)

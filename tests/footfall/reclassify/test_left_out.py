"""A visitor is left out: the past follows, as if it had been a robot from the start."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from catalog.pages.models import Content
from footfall.flush import project
from footfall.models import (
    Audit,
    Correction,
    HourTotal,
    Kind,
    LeftOut,
    Reclassification,
    Rollup,
    VisitorSketch,
)
from footfall.ops.audit.run import run_audit
from footfall.projections.run import apply_new_events
from footfall.reclassify import past
from footfall.reclassify.past import reclassify
from footfall.recount.rebuild import rebuild
from footfall.recount.upkeep import reclassify_all
from footfall.registry import content_type_of
from tests.support.agents import BROWSER, HIDDEN, LIBRARY, by_kind, decide, rollups, seen
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
ONE, OTHER = 2**63 + 7, 11
HOUR_OF = datetime.fromtimestamp(AT / 1000, UTC)


def count() -> None:
    while project(force=True).more:
        pass


def visitors() -> dict[int, int]:
    rows = VisitorSketch.objects.filter(content_type=content_type_of(Content), beside=False)
    return dict(rows.values_list("target_id", "visitors"))


def leave_out(visitor: int, wanted: bool = True) -> None:
    number = visitor - 2**64 if visitor >= 2**63 else visitor
    LeftOut.objects.update_or_create(
        visitor=number, defaults={"hour": HOUR_OF, "is_wanted": wanted}
    )


def assert_right() -> None:
    """Nothing differs from what it would be, had it been known from the start."""
    found, totals = dict(rollups()), by_kind(HourTotal)
    Rollup.objects.all().delete()
    HourTotal.objects.all().delete()
    rebuild(f"hourly:{LABEL}")
    assert (found, totals) == (dict(rollups()), by_kind(HourTotal))


@pytest.fixture
def viewed(ids: list[int]) -> list[int]:
    """Two people, one with a burst by two agents; and views of which no visitor is known."""
    view({LABEL: ids[:2]}, 30, agent=seen(BROWSER), visitor=ONE)
    view({LABEL: ids[:1]}, 5, at=AT + 2 * HOUR, agent=seen(HIDDEN), visitor=ONE)
    view({LABEL: ids[:1]}, 2, agent=seen(BROWSER), visitor=OTHER)
    view({LABEL: ids[:1]}, 1, agent=seen(BROWSER))
    view({LABEL: ids[:1]}, 1, agent=seen(LIBRARY), visitor=OTHER)
    count()
    return ids


def test_the_past_follows_in_rollups_and_visitors(viewed: list[int]) -> None:
    assert by_kind() == {"views": 69, "person": 68, "library": 1}
    assert visitors() == {0: 2, viewed[0]: 2, viewed[1]: 1}
    counters = dict(Content.objects.values_list("pk", "counter"))
    leave_out(ONE)
    assert by_kind()["person"] == 68, "only a reclassification changes it"

    reclassify_all()

    assert by_kind() == {"views": 69, "person": 3, "robot": 65, "library": 1}
    assert visitors() == {0: 1, viewed[0]: 1}
    assert dict(Content.objects.values_list("pk", "counter")) == counters
    assert LeftOut.objects.get().is_out
    ledger = Correction.objects.filter(kind=Correction.Kind.RECLASSIFY).earliest("pk")
    assert "1 visitors left out" in ledger.text
    assert list(run_audit(Audit())) == []
    assert_right()


def test_what_it_views_later_is_left_out_too(viewed: list[int]) -> None:
    leave_out(ONE)
    reclassify()

    view({LABEL: viewed[:1]}, 4, agent=seen(BROWSER), visitor=ONE)
    view({LABEL: viewed[:1]}, 1, agent=seen(BROWSER), visitor=OTHER)
    count()

    assert by_kind() == {"views": 74, "person": 4, "robot": 69, "library": 1}
    assert_right()


def test_it_is_done_once(viewed: list[int]) -> None:
    leave_out(ONE)

    assert reclassify()
    assert reclassify() is None
    assert Reclassification.objects.count() == 1


def test_it_can_be_taken_back(viewed: list[int]) -> None:
    leave_out(ONE)
    reclassify_all()
    leave_out(ONE, wanted=False)

    reclassify_all()

    assert by_kind() == {"views": 69, "person": 68, "library": 1}
    assert visitors() == {0: 2, viewed[0]: 2, viewed[1]: 1}
    assert_right()


def test_together_with_agents_and_one_after_the_other(viewed: list[int]) -> None:
    leave_out(ONE)
    decide(BROWSER, Kind.MONITOR)
    reclassify()
    assert by_kind() == {"views": 69, "robot": 65, "monitor": 3, "library": 1}
    assert_right()

    decide(HIDDEN, Kind.MONITOR)
    leave_out(ONE, wanted=False)
    leave_out(OTHER)
    reclassify()
    assert by_kind() == {"views": 69, "robot": 3, "monitor": 66}
    assert list(run_audit(Audit())) == []
    assert_right()


def test_since_a_later_day_it_stays(viewed: list[int]) -> None:
    leave_out(ONE)

    assert reclassify(HOUR_OF + timedelta(days=1)) is None
    assert reclassify(HOUR_OF)
    assert by_kind()["robot"] == 65
    assert_right()


def test_killed_at_any_chunk_it_goes_on(viewed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "CHUNK_EVENTS", 1)
    leave_out(ONE)
    correct = past._correct_part
    calls = 0

    def die_at_the_second(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            raise KeyboardInterrupt
        correct(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(past, "_correct_part", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        reclassify()
    view({LABEL: viewed[:1]}, 4, agent=seen(BROWSER), visitor=ONE)
    apply_new_events(force=True)
    while True:
        try:
            call_command("counters", "reclassify")
        except KeyboardInterrupt:
            continue
        break

    count()
    assert by_kind() == {"views": 73, "person": 3, "robot": 69, "library": 1}
    assert_right()

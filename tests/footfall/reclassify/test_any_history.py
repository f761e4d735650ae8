"""Reclassifications, and what they may meet, in any order: all is as if known from the start.

Nothing is repaired here, and no counter is written by others. `FOOTFALL_HISTORIES=500` has it try
more.
"""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from catalog.pages.models import Content
from footfall.models import KIND_COLUMNS, Audit, Base, Identity, Kind, LeftOut, Recount
from footfall.ops.audit.run import run_audit
from footfall.projections.compact import compact as compact_hours
from footfall.projections.run import apply_new_events
from footfall.reclassify import past
from footfall.reclassify.past import reclassify, resume
from footfall.recount import counting, rebuild
from footfall.recount.gap import Incomparable
from footfall.store import retain
from footfall.store.compact import compact as compact_store
from footfall.store.retain import remove_due
from tests.support.agents import BROWSER, HIDDEN, LIBRARY, by_kind, decide, seen
from tests.support.crashes import dying
from tests.support.failpoints import COMPACT, RECLASSIFY, RECOUNT, REMOVE
from tests.support.histories import histories
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
TARGETS = 3
VISITORS = 2
STRINGS = [BROWSER, HIDDEN, LIBRARY]
AGENTS = some.sampled_from(STRINGS)
KINDS = some.sampled_from([Kind.UNKNOWN, Kind.PERSON, Kind.ROBOT, Kind.MONITOR])
MIDNIGHT = datetime.fromtimestamp(AT / 1000, UTC)


class History(RuleBasedStateMachine):
    """`truth` is what was viewed, by agent and visitor."""

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.ids = [Content.objects.create(title=f"{n}").pk for n in range(TARGETS)]
        self.truth: Counter[tuple[str, int]] = Counter()
        self.left_out: set[int] = set()
        self.kinds = dict.fromkeys(STRINGS, Kind.UNKNOWN)
        for string in STRINGS:
            decide(string, Kind.UNKNOWN)

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            transaction.savepoint_rollback(self.before)

    def finish(self) -> None:
        reclassify()
        while apply_new_events(force=True, kinds=["hourly"]).more:
            pass
        if Recount.objects.filter(kind=Recount.Kind.HOURLY).exists():  # no audit ends it
            rebuild.rebuild(f"hourly:{LABEL}")
        assert list(run_audit(Audit())) == []
        if not Base.objects.exists():  # else some have kept their kinds
            expected = Counter(views=self.truth.total())
            for (string, visitor), views in self.truth.items():
                if kind := Kind.ROBOT if visitor in self.left_out else self.kinds[string]:
                    expected[KIND_COLUMNS[kind]] += views
            assert by_kind() == +expected

    @rule(
        which=some.sets(some.integers(0, TARGETS - 1), min_size=1),
        hours=some.integers(0, 50),
        agent=AGENTS,
        visitor=some.integers(0, VISITORS),
    )
    def contents_are_viewed(self, which: set[int], hours: int, agent: str, visitor: int) -> None:
        targets = {LABEL: [self.ids[n] for n in sorted(which)]}
        view(targets, at=AT + hours * HOUR, agent=seen(agent), visitor=visitor)
        self.truth[agent, visitor] += len(which)

    @rule(max_events=some.integers(1, 3))
    def rollups_come_forward(self, max_events: int) -> None:
        apply_new_events(force=True, kinds=["hourly"], max_events=max_events)

    @rule(agent=AGENTS, kind=KINDS)
    def an_operator_decides(self, agent: str, kind: Kind) -> None:
        decide(agent, kind)
        self.kinds[agent] = kind

    @rule(visitor=some.integers(1, VISITORS), is_wanted=some.booleans(), hours=some.integers(0, 50))
    def an_operator_leaves_a_visitor_out(self, visitor: int, is_wanted: bool, hours: int) -> None:
        LeftOut.objects.update_or_create(
            visitor=visitor,
            defaults={"is_wanted": is_wanted},
            create_defaults={
                "is_wanted": is_wanted,
                "hour": MIDNIGHT + timedelta(hours=hours),
            },
        )
        (self.left_out.add if is_wanted else self.left_out.discard)(visitor)

    @rule(
        dies=some.sampled_from(["", *RECLASSIFY]),
        days=some.sampled_from([None, None, 0, 1, 2]),
    )
    def agents_are_classified_anew(self, dies: str, days: int | None) -> None:
        with dying(dies):
            reclassify(None if days is None else MIDNIGHT + timedelta(days=days))

    @rule(dies=some.sampled_from(["", *RECLASSIFY]))
    def a_worker_goes_on_with_it(self, dies: str) -> None:
        with dying(dies):
            resume()

    @rule(dies=some.sampled_from(["", *COMPACT]))
    def the_store_is_compacted(self, dies: str) -> None:
        with dying(dies):
            compact_store()

    @rule()
    def hours_are_compacted(self) -> None:
        compact_hours()

    @rule(which=some.integers(0, TARGETS - 1))
    def a_target_is_deleted(self, which: int) -> None:
        Content.objects.filter(pk=self.ids[which]).delete()

    @rule(days=some.integers(0, 2), dies=some.sampled_from(["", *REMOVE]))
    def days_pass_and_events_leave(self, days: int, dies: str) -> None:
        Identity.objects.update(epoch=F("epoch") + 24 * days)
        with dying(dies):
            remove_due()

    @rule(dies=some.sampled_from(["", *RECOUNT]))
    def rollups_are_rebuilt(self, dies: str) -> None:
        with dying(dies), suppress(Incomparable, rebuild.NoProjection):
            rebuild.rebuild(f"hourly:{LABEL}")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Everything is done in chunks of one or two, and hours are old."""
    settings.COUNTERS_KEEP_DAYS = 1
    settings.COUNTERS_HOURLY_DAYS = 31
    Identity.objects.get_or_create(pk=1)
    monkeypatch.setattr("footfall.store.compact.MIN_AGE", timedelta())
    monkeypatch.setattr("footfall.store.compact.GROWTH", 2)
    monkeypatch.setattr(retain, "MAX_EVENTS", 2)
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 2)
    monkeypatch.setattr(rebuild, "CHUNK_SIZE", 2)
    monkeypatch.setattr(past, "CHUNK_EVENTS", 2)
    monkeypatch.setattr(past, "ALIVE", timedelta())


@pytest.mark.usefixtures("small")
@histories(2, 8)
def test_whatever_happens_in_whatever_order(histories: int) -> None:
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=histories,
            stateful_step_count=15,
            deadline=None,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

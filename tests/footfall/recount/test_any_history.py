"""Removals, recounts, corrections, crashes and restores in any order, held against the truth.

Hypothesis makes the histories; the tables are real. `FOOTFALL_HISTORIES=500` has it try more.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from catalog.pages.models import Content
from footfall.models import (
    Agent,
    Audit,
    Base,
    Identity,
    Kind,
    Projection,
    Recount,
    Rollup,
    VisitorSketch,
)
from footfall.models.viewers import signed
from footfall.ops.audit.run import run_audit
from footfall.projections.rows import KINDS
from footfall.projections.run import apply_new_events
from footfall.reclassify import past
from footfall.reclassify.past import reclassify
from footfall.recount import counting, rebuild, visitors
from footfall.recount.adopt import adopt
from footfall.recount.gap import Incomparable
from footfall.recount.upkeep import keep_store
from footfall.recount.visitors import recount_noted
from footfall.store import retain
from footfall.store.compact import compact
from footfall.store.read import is_known, scan
from footfall.store.retain import remove_due
from footfall.store.views import Summed
from tests.support.agents import BROWSER, HIDDEN, ROBOT, decide, seen
from tests.support.crashes import dying
from tests.support.failpoints import COMPACT, RECLASSIFY, RECOUNT, REMOVE
from tests.support.failpoints import VISITORS as VISITOR_DEATHS
from tests.support.histories import histories
from tests.support.projections import view
from tests.support.views import AT, HOUR
from tests.support.visits import people

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
TARGETS = 3
NAMES = [f"{kind}:{LABEL}" for kind in KINDS]
DEATHS = some.sampled_from(["", *RECOUNT, *VISITOR_DEATHS["recount"]])
AGENT_STRINGS = [BROWSER, HIDDEN, ROBOT]
AGENTS = some.sampled_from(AGENT_STRINGS)
VISITORS = people(4)
MIDNIGHT = datetime.fromtimestamp(AT / 1000, UTC)
KINDS_OF = some.sampled_from(KINDS)


class History(RuleBasedStateMachine):
    """`truth` is what was viewed, `adopted` what counters had before."""

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.ids = [Content.objects.create(title=f"{n}").pk for n in range(TARGETS)]
        self.truth: Counter[int] = Counter()
        self.adopted: Counter[int] = Counter()
        self.visits: set[tuple[date, int, str, int]] = set()
        """(day, content, agent, visitor)"""
        self.back_up()

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            transaction.savepoint_rollback(self.before)

    def finish(self) -> None:
        keep_store()
        self.finish_rebuilds()
        reclassify()
        recount_noted()
        self.come_forward()
        assert self.visitors() == self.people()
        for name in Projection.objects.filter(name__in=NAMES).values_list("name", flat=True):
            rebuild.rebuild(name)
        assert list(run_audit(Audit(), repair=True)) == []
        counters = Content.objects.filter(counter__gt=0).values_list("pk", "counter")
        assert Counter(dict(counters)) == self.truth + self.adopted
        rollups = Rollup.objects.values_list("target_id").annotate(Sum("views"))
        assert Counter(dict(rollups)) == self.truth
        assert self.visitors() == self.people()

    def visitors(self) -> dict[tuple[date, int], int]:
        """Return the visitors of targets on days of which no part has left the store."""
        left = {at.date() for at in Base.objects.values_list("hour", flat=True)}
        rows = VisitorSketch.objects.filter(beside=False)
        found = {
            (day, target): n for day, target, n in rows.values_list("day", "target_id", "visitors")
        }
        return {place: n for place, n in found.items() if place[0] not in left}

    def people(self) -> dict[tuple[date, int], int]:
        """Return what these should be, by what agents are now."""
        left = {at.date() for at in Base.objects.values_list("hour", flat=True)}
        people = {signed(seen(agent)) for agent in AGENT_STRINGS}
        people &= {*Agent.objects.filter(kind=Kind.PERSON).values_list("hash", flat=True)}
        found: dict[tuple[date, int], set[int]] = {}
        for day, target, agent, visitor in self.visits:
            if signed(seen(agent)) in people and day not in left:
                for one in (target, 0):
                    found.setdefault((day, one), set()).add(visitor)
        return {place: len(visitors) for place, visitors in found.items()}

    # --- Views ------------------------------------------------------------------------------------

    @rule(
        which=some.sets(some.integers(0, TARGETS - 1), min_size=1),
        hours=some.integers(0, 30),
        agent=AGENTS,
        visitor=some.sampled_from(VISITORS),
    )
    def contents_are_viewed(self, which: set[int], hours: int, agent: str, visitor: int) -> None:
        ids = [self.ids[n] for n in sorted(which)]
        view({LABEL: ids}, at=AT + hours * HOUR, agent=seen(agent), visitor=visitor)
        self.truth.update(ids)
        day = (MIDNIGHT + timedelta(hours=hours)).date()
        self.visits |= {(day, target, agent, visitor) for target in ids}

    @rule(agent=AGENTS, kind=some.sampled_from([Kind.PERSON, Kind.ROBOT, Kind.UNKNOWN]))
    def an_operator_decides(self, agent: str, kind: Kind) -> None:
        decide(agent, kind)

    @rule(kind=KINDS_OF, max_events=some.integers(1, 3))
    def a_projection_comes_forward(self, kind: str, max_events: int) -> None:
        apply_new_events(force=True, kinds=[kind], max_events=max_events)

    # --- The store --------------------------------------------------------------------------------

    @rule(dies=some.sampled_from(["", *COMPACT]))
    def the_store_is_compacted(self, dies: str) -> None:
        with dying(dies):
            compact()

    @rule(days=some.integers(0, 2), dies=some.sampled_from(["", *REMOVE]))
    def days_pass_and_events_leave(self, days: int, dies: str) -> None:
        Identity.objects.update(epoch=F("epoch") + 24 * days)
        with dying(dies):
            remove_due()

    # --- What goes wrong --------------------------------------------------------------------------

    @rule(which=some.integers(0, TARGETS - 1), views=some.integers(0, 9))
    def somebody_writes_a_counter(self, which: int, views: int) -> None:
        if self.is_viewed(self.ids[which]):
            Content.objects.filter(pk=self.ids[which]).update(counter=views)

    @rule(which=some.integers(0, TARGETS - 1), views=some.integers(1, 9))
    def somebody_writes_rollups(self, which: int, views: int) -> None:
        Rollup.objects.filter(target_id=self.ids[which]).update(views=views)

    @rule(kind=KINDS_OF, ahead=some.integers(0, 3))
    def a_position_is_lost(self, kind: str, ahead: int) -> None:
        Projection.objects.filter(name=f"{kind}:{LABEL}").update(number=F("number") + ahead, key=1)

    @rule()
    def back_up(self) -> None:
        self.backup = (
            transaction.savepoint(),
            self.truth.copy(),
            self.adopted.copy(),
            self.visits.copy(),
        )

    @rule()
    def the_database_is_restored(self) -> None:
        point, truth, adopted, visits = self.backup
        transaction.savepoint_rollback(point)
        self.truth, self.adopted = truth.copy(), adopted.copy()
        self.visits = visits.copy()

    # --- What mends it ----------------------------------------------------------------------------

    @rule(name=some.sampled_from(NAMES), dies=DEATHS)
    def a_projection_is_rebuilt(self, name: str, dies: str) -> None:
        with dying(dies), suppress(Incomparable, rebuild.NoProjection):
            rebuild.rebuild(name)

    @rule(dies=DEATHS)
    def an_audit_repairs(self, dies: str) -> None:
        with dying(dies):
            list(run_audit(Audit(), repair=True))

    @rule(dies=some.sampled_from(["", *RECLASSIFY]), days=some.sampled_from([None, 0, 1]))
    def agents_are_classified_anew(self, dies: str, days: int | None) -> None:
        since = None if days is None else MIDNIGHT + timedelta(days=days)
        with dying(dies):
            reclassify(since)

    @rule(dies=DEATHS)
    def the_store_is_kept(self, dies: str) -> None:
        with dying(dies):
            keep_store()

    @rule(which=some.integers(0, TARGETS - 1), views=some.integers(1, 9), dies=DEATHS)
    def a_column_is_adopted(self, which: int, views: int, dies: str) -> None:
        keep_store()
        self.finish_rebuilds()
        list(run_audit(Audit(), repair=True))
        if Projection.objects.filter(name=NAMES[0]).exists() and all(self.known()):
            Content.objects.filter(pk=self.ids[which]).update(counter=F("counter") + views)
            self.adopted[self.ids[which]] += views
            with dying(dies):
                adopt(LABEL)
            adopt(LABEL)

    # --- What is always so ------------------------------------------------------------------------

    @invariant()
    def every_view_is_in_the_base_or_in_the_store(self) -> None:
        summed = Summed()
        for _segment, events in scan():
            summed.add(events)
        there: Counter[int] = Counter()
        for views in summed.hours.get(LABEL, {}).values():
            there.update(views)
        for target, views_of in Base.objects.values_list("target_id", "views"):
            there[target] += views_of
        assert there == self.truth + self.adopted

    # --- How --------------------------------------------------------------------------------------

    def is_viewed(self, pk: int) -> bool:
        """Nothing explains a counter of which nothing was counted yet: it is left, or adopted."""
        begun = Projection.objects.filter(name=NAMES[0], counted_before="no")
        is_counted = Content.objects.filter(pk=pk, counter__gt=0).exists()
        return self.truth[pk] > 0 and begun.exists() and is_counted

    def known(self) -> Iterator[bool]:
        return (is_known(row.position) for row in Projection.objects.filter(name__in=NAMES))

    def finish_rebuilds(self) -> None:
        for label, kind in Recount.objects.filter(kind__in=KINDS).values_list("label", "kind"):
            rebuild.rebuild(f"{kind}:{label}")

    def come_forward(self) -> None:
        for kind in KINDS:
            while apply_new_events(force=True, kinds=[kind]).more:
                pass


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Everything is done in chunks of one or two."""
    settings.COUNTERS_KEEP_DAYS = 1
    Identity.objects.get_or_create(pk=1)
    monkeypatch.setattr("footfall.store.compact.MIN_AGE", timedelta())
    monkeypatch.setattr("footfall.store.compact.GROWTH", 2)
    monkeypatch.setattr(retain, "MAX_EVENTS", 2)
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 2)
    monkeypatch.setattr(rebuild, "CHUNK_SIZE", 2)
    monkeypatch.setattr(rebuild, "ALIVE", timedelta())
    monkeypatch.setattr(past, "ALIVE", timedelta())
    monkeypatch.setattr(past, "CHUNK_EVENTS", 2)
    monkeypatch.setattr(visitors, "CHUNK_EVENTS", 2)


@pytest.mark.usefixtures("small")
@histories(3, 12)
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

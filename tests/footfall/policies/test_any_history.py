"""Whatever happens to events, agents and the policy, in any order: counters are what it counts.

`FOOTFALL_HISTORIES=500` has it try more.
"""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from catalog.pages.models import Content
from footfall.models import Audit, Base, Identity, Kind, Projection, Recount, Rollup
from footfall.ops.audit import run_audit
from footfall.policies import Everything, People
from footfall.projections.rows import KINDS
from footfall.projections.run import apply_new_events
from footfall.reclassify import past
from footfall.reclassify.past import reclassify
from footfall.recount import counting, rebuild
from footfall.recount.gap import Incomparable
from footfall.recount.upkeep import keep_store
from footfall.registry import counter_field
from footfall.store import retain
from footfall.store.compact import compact
from footfall.store.retain import remove_due
from tests.support.agents import BROWSER, HIDDEN, ROBOT, decide, seen
from tests.support.crashes import dying
from tests.support.failpoints import COMPACT, PROJECT, RECLASSIFY, RECOUNT, REMOVE
from tests.support.histories import histories
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
TOTALS = f"totals:{LABEL}"
TARGETS = 3
STRINGS = [BROWSER, HIDDEN, ROBOT]
AGENTS = some.sampled_from(STRINGS)
FIELD = counter_field(Content)


class History(RuleBasedStateMachine):
    """`truth` is what was viewed, by target and agent."""

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.ids = [Content.objects.create(title=f"{n}").pk for n in range(TARGETS)]
        self.truth: Counter[tuple[int, str]] = Counter()
        self.kinds = {BROWSER: Kind.PERSON, HIDDEN: Kind.PERSON, ROBOT: Kind.ROBOT}
        FIELD.policy = People()

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            FIELD.policy = Everything()
            transaction.savepoint_rollback(self.before)

    def finish(self) -> None:
        FIELD.policy = People()
        keep_store()
        while apply_new_events(force=True).more:
            pass
        row = Projection.objects.filter(name=TOTALS).first()
        if row and row.policy != "people":
            rebuild.rebuild(TOTALS)
        reclassify()
        rebuild.rebuild_stale()
        if Recount.objects.filter(kind__in=[Recount.Kind.HOURLY, Recount.Kind.TOTALS]).exists():
            rebuild.rebuild(TOTALS)
        assert list(run_audit(Audit())) == list(run_audit(Audit(), quick=True)) == []
        counters = dict(Content.objects.filter(counter__gt=0).values_list("pk", "counter"))
        rolled = Rollup.objects.values_list("target_id").annotate(n=Sum("person"))
        assert counters == {target: n for target, n in rolled if n}
        if not Base.objects.exists():  # else some have kept their kinds
            people: Counter[int] = Counter()
            for (target, string), views in self.truth.items():
                people[target] += views if self.kinds[string] == Kind.PERSON else 0
            assert counters == +people

    @rule(
        which=some.sets(some.integers(0, TARGETS - 1), min_size=1),
        hours=some.integers(0, 30),
        agent=AGENTS,
    )
    def contents_are_viewed(self, which: set[int], hours: int, agent: str) -> None:
        ids = [self.ids[n] for n in sorted(which)]
        view({LABEL: ids}, at=AT + hours * HOUR, agent=seen(agent))
        self.truth.update((pk, agent) for pk in ids)

    @rule(
        kind=some.sampled_from(KINDS),
        max_events=some.integers(1, 3),
        dies=some.sampled_from(["", *PROJECT]),
    )
    def a_projection_comes_forward(self, kind: str, max_events: int, dies: str) -> None:
        with dying(dies):
            apply_new_events(force=True, kinds=[kind], max_events=max_events)

    @rule(agent=AGENTS, kind=some.sampled_from([Kind.UNKNOWN, Kind.PERSON, Kind.ROBOT]))
    def an_operator_decides(self, agent: str, kind: Kind) -> None:
        seen(agent)
        decide(agent, kind)
        self.kinds[agent] = kind

    @rule(dies=some.sampled_from(["", *RECLASSIFY, *RECOUNT]))
    def agents_are_classified_anew(self, dies: str) -> None:
        with dying(dies):
            reclassify()
            rebuild.rebuild_stale()

    @rule(dies=some.sampled_from(["", *RECOUNT]))
    def counters_are_rebuilt(self, dies: str) -> None:
        with dying(dies), suppress(Incomparable, rebuild.NoProjection):
            rebuild.rebuild(TOTALS)

    @rule(max_events=some.integers(1, 3))
    def a_worker_has_another_policy(self, max_events: int) -> None:
        FIELD.policy = Everything()
        apply_new_events(force=True, kinds=["totals"], max_events=max_events)
        FIELD.policy = People()

    @rule(repair=some.booleans(), dies=some.sampled_from(["", *RECOUNT]))
    def nothing_is_called_wrong(self, repair: bool, dies: str) -> None:
        audit = Audit()
        with dying(dies):
            list(run_audit(audit, repair=repair))
            assert audit.differences == 0, audit.lines

    @rule(dies=some.sampled_from(["", *COMPACT]))
    def the_store_is_compacted(self, dies: str) -> None:
        with dying(dies):
            compact()

    @rule(days=some.integers(0, 2), dies=some.sampled_from(["", *REMOVE]))
    def days_pass_and_events_leave(self, days: int, dies: str) -> None:
        Identity.objects.update(epoch=F("epoch") + 24 * days)
        with dying(dies):
            remove_due()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Everything is done in chunks of one or two, and hours are old."""
    settings.COUNTERS_KEEP_DAYS = 1
    Identity.objects.get_or_create(pk=1)
    Content.objects.all().delete()  # what migrations or other tests have left takes time only
    monkeypatch.setattr("footfall.store.compact.MIN_AGE", timedelta())
    monkeypatch.setattr("footfall.store.compact.GROWTH", 2)
    monkeypatch.setattr(retain, "MAX_EVENTS", 2)
    monkeypatch.setattr(counting, "CHUNK_EVENTS", 2)
    monkeypatch.setattr(rebuild, "CHUNK_SIZE", 2)
    monkeypatch.setattr(rebuild, "ALIVE", timedelta())
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

"""Whatever happens to events, agents and the policy, in any order: counters are what it counts.

`FOOTFALL_HISTORIES=500` has it try more.
"""

from collections import Counter
from typing import ClassVar

import pytest
from django.db.models import Sum
from hypothesis import strategies as some
from hypothesis.stateful import rule

from footfall.models import Audit, Base, Kind, Rollup
from footfall.ops.audit.run import run_audit
from footfall.policies import DAY, HOUR, AtMost, Everything, OncePerVisitor, People, Policy
from footfall.reclassify.past import reclassify
from footfall.recount import rebuild
from tests.support.agents import BROWSER, HIDDEN, ROBOT, decide, seen
from tests.support.crashes import dying
from tests.support.failpoints import RECLASSIFY, RECOUNT
from tests.support.histories import histories
from tests.support.policies import LABEL, PolicyHistory, run_histories
from tests.support.projections import view
from tests.support.views import AT
from tests.support.views import HOUR as MS

pytestmark = pytest.mark.django_db

AGENTS = some.sampled_from([BROWSER, HIDDEN, ROBOT])
ONE, TWO = 2**64 - 1, 7


class OfPeople(PolicyHistory):
    """`truth` is what was viewed, by target and agent."""

    policy: ClassVar[Policy] = People()
    others: ClassVar[list[Policy]] = [Everything()]
    targets = 3

    def __init__(self) -> None:
        super().__init__()
        self.truth: Counter[tuple[int, str]] = Counter()
        self.kinds = {BROWSER: Kind.PERSON, HIDDEN: Kind.PERSON, ROBOT: Kind.ROBOT}

    def finish(self) -> None:
        super().finish()
        reclassify()
        rebuild.rebuild_stale()
        self.rebuild_unfinished()

    def check(self) -> None:
        assert list(run_audit(Audit(), quick=True)) == []
        counters = self.counters()
        rolled = Rollup.objects.values_list("target_id").annotate(n=Sum("person"))
        assert counters == {target: n for target, n in rolled if n}
        if not Base.objects.exists():  # else some have kept their kinds
            people: Counter[int] = Counter()
            for (target, string), views in self.truth.items():
                people[target] += views if self.kinds[string] == Kind.PERSON else 0
            assert counters == +people

    @rule(
        which=some.sets(some.integers(0, targets - 1), min_size=1),
        hours=some.integers(0, 30),
        agent=AGENTS,
    )
    def contents_are_viewed(self, which: set[int], hours: int, agent: str) -> None:
        ids = [self.ids[n] for n in sorted(which)]
        view({LABEL: ids}, at=AT + hours * MS, agent=seen(agent))
        self.truth.update((pk, agent) for pk in ids)

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


class ByVisitor(PolicyHistory):
    """`truth` is how often a visitor viewed a target in an hour."""

    policy: ClassVar[Policy] = AtMost(2, per=HOUR)
    others: ClassVar[list[Policy]] = [Everything(), OncePerVisitor(DAY), AtMost(2, per=DAY)]
    targets = 2

    def __init__(self) -> None:
        super().__init__()
        self.truth: Counter[tuple[int, int, int]] = Counter()

    def check(self) -> None:
        if not Base.objects.exists():
            expected: Counter[int] = Counter()
            for (target, _hour, visitor), views in self.truth.items():
                expected[target] += min(2, views) if visitor else views
            assert self.counters() == expected

    @rule(
        which=some.sets(some.integers(0, targets - 1), min_size=1),
        times=some.integers(1, 3),
        hour=some.integers(0, 2),
        visitor=some.sampled_from([0, ONE, TWO]),
    )
    def contents_are_viewed(self, which: set[int], times: int, hour: int, visitor: int) -> None:
        ids = [self.ids[n] for n in sorted(which)]
        view({LABEL: ids}, times, at=AT + hour * MS, visitor=visitor)
        for target in ids:
            self.truth[target, hour, visitor] += times


@pytest.mark.usefixtures("small")
@histories(2, 8)
@pytest.mark.parametrize("history", [OfPeople, ByVisitor])
def test_whatever_happens_in_whatever_order(history: type[PolicyHistory], histories: int) -> None:
    run_histories(history, histories)

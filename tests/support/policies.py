"""What may happen to counters of contents that are counted by a policy, in any order."""

from contextlib import suppress
from typing import ClassVar

from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from catalog.pages.models import Content
from footfall.models import Audit, Identity, Projection, Recount
from footfall.ops.audit.run import run_audit
from footfall.policies import Everything, Policy
from footfall.projections.rows import KINDS
from footfall.projections.run import apply_new_events
from footfall.recount import rebuild
from footfall.recount.gap import Incomparable
from footfall.recount.upkeep import keep_store
from footfall.registry import counter_field
from footfall.store.compact import compact
from footfall.store.retain import remove_due
from footfall.store.visits import remove_unused
from tests.support.crashes import dying
from tests.support.failpoints import COMPACT, PROJECT, RECOUNT, REMOVE

LABEL = "pages.content"
TOTALS = f"totals:{LABEL}"
FIELD = counter_field(Content)


class PolicyHistory(RuleBasedStateMachine):
    """Whatever happens, counters are what the policy counts. Subclasses say what is viewed."""

    policy: ClassVar[Policy]
    others: ClassVar[list[Policy]]
    """By which a worker may count meanwhile."""
    targets: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.ids = [Content.objects.create(title=f"{n}").pk for n in range(self.targets)]
        FIELD.policy = self.policy

    def teardown(self) -> None:
        try:
            self.finish()
            assert list(run_audit(Audit())) == []
            self.check()
        finally:
            FIELD.policy = Everything()
            transaction.savepoint_rollback(self.before)

    def finish(self) -> None:
        """Have everything counted, by the policy."""
        FIELD.policy = self.policy
        keep_store()
        while apply_new_events(force=True).more:
            pass
        self.rebuild_unfinished()

    def rebuild_unfinished(self) -> None:
        row = Projection.objects.filter(name=TOTALS).first()
        kinds = [Recount.Kind.HOURLY, Recount.Kind.TOTALS]
        is_unfinished = Recount.objects.filter(kind__in=kinds).exists()
        if row and (row.policy != self.policy.name or is_unfinished):
            rebuild.rebuild(TOTALS)

    def check(self) -> None:
        """Compare the counters with the truth."""
        raise NotImplementedError

    def counters(self) -> dict[int, int]:
        return dict(Content.objects.filter(counter__gt=0).values_list("pk", "counter"))

    @rule(
        kind=some.sampled_from(KINDS),
        max_events=some.integers(1, 3),
        dies=some.sampled_from(["", *PROJECT]),
    )
    def a_projection_comes_forward(self, kind: str, max_events: int, dies: str) -> None:
        with dying(dies):
            apply_new_events(force=True, kinds=[kind], max_events=max_events)

    @rule(dies=some.sampled_from(["", *RECOUNT]))
    def counters_are_rebuilt(self, dies: str) -> None:
        with dying(dies), suppress(Incomparable, rebuild.NoProjection):
            rebuild.rebuild(TOTALS)

    @rule(max_events=some.integers(1, 3), other=some.integers(0, 5))
    def a_worker_has_another_policy(self, max_events: int, other: int) -> None:
        FIELD.policy = self.others[other % len(self.others)]
        apply_new_events(force=True, kinds=["totals"], max_events=max_events)
        FIELD.policy = self.policy

    @rule(repair=some.booleans(), dies=some.sampled_from(["", *RECOUNT]))
    def nothing_is_called_wrong(self, repair: bool, dies: str) -> None:
        found = Audit()
        with dying(dies):
            list(run_audit(found, repair=repair))
            assert found.differences == 0, found.lines

    @rule(dies=some.sampled_from(["", *COMPACT]))
    def the_store_is_compacted(self, dies: str) -> None:
        with dying(dies):
            compact()

    @rule(days=some.integers(0, 4), dies=some.sampled_from(["", *REMOVE]))
    def days_pass_and_events_leave(self, days: int, dies: str) -> None:
        Identity.objects.update(epoch=F("epoch") + 24 * days)
        remove_unused()
        with dying(dies):
            remove_due()


def run_histories(history: type[PolicyHistory], number: int) -> None:
    run_state_machine_as_test(
        history,
        settings=settings(
            max_examples=number,
            stateful_step_count=15,
            deadline=None,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""What operators decide about bursts, and how far the past follows."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from footfall.models import Agent, AgentRule, Burst, Correcting, How, Kind, LeftOut

SHOWN = 8
SHOWN_FOR = timedelta(days=7)


class NotDecided(Exception):
    """It cannot be decided so."""


class Shown(NamedTuple):
    """A burst, and its agent, if it has one with a name."""

    burst: Burst
    agent: Agent | None

    @property
    def may_be_visitor(self) -> bool:
        return bool(self.burst.visitor)

    @property
    def may_be_agent(self) -> bool:
        return can_be_named(self.agent)


class Work(NamedTuple):
    """A reclassification that is not finished."""

    done: int
    total: int
    """Events."""


def can_be_named(agent: Agent | None) -> bool:
    """Tell whether a rule can name the agent."""
    return agent is not None and bool(agent.string) and agent.how == How.PLAIN


def latest() -> list[Shown]:
    """Return the bursts of the last days, the newest first, with two queries."""
    since = timezone.now() - SHOWN_FOR
    bursts = Burst.objects.filter(hour__gte=since).order_by("-hour", "-views")[:SHOWN]
    found = list(bursts.select_related("by"))
    agents = Agent.objects.in_bulk([burst.agent for burst in found])
    return [Shown(burst, agents.get(burst.agent)) for burst in found]


def work() -> Work | None:
    """Return how far the reclassification is that goes on; None if there is none. One query."""
    parts = Correcting.objects.filter(reclassification__finished_at=None)
    found = list(parts.values_list("events", "boundary_events", "done"))
    if not found:
        return None
    total = sum(boundary for _, boundary, _ in found)
    return Work(sum(boundary if done else events for events, boundary, done in found), total)


def decide(pk: int, decision: Burst.Decision, who: Any) -> Burst:
    """Say what a burst is, perhaps another thing than before; the past has still to follow.

    who: a user. Raises NotDecided, and Burst.DoesNotExist.
    """
    with transaction.atomic():
        burst = Burst.objects.select_for_update().get(pk=pk)
        _take_back(burst)
        if decision == Burst.Decision.VISITOR:
            _leave_out(burst, who)
        elif decision == Burst.Decision.AGENT:
            _call_robot(burst, who)
        burst.decision = decision
        burst.decided_at = timezone.now() if decision else None
        burst.by_id = who.pk if decision else None
        burst.save(update_fields=["decision", "decided_at", "by"])
    return burst


def _note(burst: Burst) -> str:
    return f"burst {burst.pk}"


def _take_back(burst: Burst) -> None:
    """Undo what was decided before."""
    if burst.decision == Burst.Decision.VISITOR:
        same = Burst.objects.filter(visitor=burst.visitor, decision=burst.decision)
        if not same.exclude(pk=burst.pk).exists():
            LeftOut.objects.filter(visitor=burst.visitor).update(is_wanted=False)
    elif burst.decision == Burst.Decision.AGENT:
        AgentRule.objects.filter(note=_note(burst), match=AgentRule.Match.EXACT).delete()


def _leave_out(burst: Burst, who: Any) -> None:
    if not burst.visitor:
        raise NotDecided
    LeftOut.objects.update_or_create(
        visitor=burst.visitor,
        defaults={"is_wanted": True, "by_id": who.pk},
        create_defaults={"hour": burst.hour, "by_id": who.pk},
    )


def _call_robot(burst: Burst, who: Any) -> None:
    agent = Agent.objects.filter(pk=burst.agent).first()
    if agent is None or not can_be_named(agent):
        raise NotDecided
    AgentRule.objects.create(
        match=AgentRule.Match.EXACT,
        value=agent.string,
        kind=Kind.ROBOT,
        note=_note(burst),
        by_id=who.pk,
    )

"""How often each agent has viewed: counted from the event store, every few minutes.

For operators: no counter and no verdict depends on it. What has left the store stays counted.
"""

from collections import Counter, defaultdict
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from footfall.common.chunks import chunks
from footfall.events import decode_meta
from footfall.models import Agent, AgentCount, Segment
from footfall.models.viewers import signed
from footfall.store.builder import cut_segments
from footfall.store.read import decoded, store_head
from footfall.store.segment import Events

ROW = 1
"""The primary key of the one row."""
MAX_EVENTS = 500_000
"""Events that one transaction counts, about."""
ROWS_PER_QUERY = 16
ROWS_PER_UPDATE = 500


def count_agents() -> None:
    """Count the views of agents up to the end of the store; another process may be doing it."""
    while count_some():
        pass


def count_some() -> bool:
    """Count some segments in a transaction; return whether there may be more."""
    with transaction.atomic():
        AgentCount.objects.bulk_create([AgentCount(pk=ROW)], ignore_conflicts=True)
        count = AgentCount.objects.select_for_update(skip_locked=True).filter(pk=ROW).first()
        if count is None:
            return False
        if not _is_ours(count):
            _start_over(count)
        views: Counter[int] = Counter()
        last_at: defaultdict[int, int] = defaultdict(int)
        after = count.events
        rows = Segment.objects.order_by("number")
        while count.events - after < MAX_EVENTS:
            page = list(rows.filter(number__gt=count.number)[:ROWS_PER_QUERY])
            for row in page:
                events = cut_segments(decoded(row), count.number, row.number)
                for agent, times in views_of(events).items():
                    views[agent] += times
                    last_at[agent] = max(last_at[agent], row.last_at)
                count.number, count.key = row.number, row.key
                count.events += len(events)
            if not page:
                break
        count.without += views.pop(0, 0) + _save(views, last_at)
        count.save()
        AgentCount.objects.filter(pk=ROW).update(counted_at=Now())
    return count.events > after


def views_of(events: Events) -> Counter[int]:
    """Return how many of these events each agent has; 0 has those without one."""
    views: Counter[int] = Counter()
    for index, times in Counter(events.meta).items():
        views[decode_meta(events.metas[index]).agent] += times
    return views


def _is_ours(count: AgentCount) -> bool:
    """Tell whether the store goes on from where it was counted: it was not restored since."""
    head = store_head()
    there = Segment.objects.filter(number=count.number).values_list("key", flat=True).first()
    return count.number <= head.number and there in {None, count.key}


def _start_over(count: AgentCount) -> None:
    Agent.objects.filter(views__gt=0).update(views=0, last_at=None)
    count.number = count.key = count.events = count.without = 0


def _save(views: Counter[int], last_at: dict[int, int]) -> int:
    """Add the views to the agents' rows; return those of agents that have none."""
    left = Counter({signed(agent): times for agent, times in views.items()})
    times_at = {signed(agent): at for agent, at in last_at.items()}
    for keys in chunks(sorted(left), ROWS_PER_UPDATE):
        some: QuerySet[Agent] = Agent.objects.filter(hash__in=keys)
        agents = list(some.select_for_update().order_by("hash"))
        for agent in agents:
            agent.views += left.pop(agent.hash)
            agent.last_at = datetime.fromtimestamp(times_at[agent.hash] / 1000, UTC)
        Agent.objects.bulk_update(agents, ["views", "last_at"])
    return left.total()

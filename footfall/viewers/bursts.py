"""Bursts: visitors and agents with far more views in an hour than is usual, for operators to judge.

They are found in the newest segments of the store, every few minutes. Only views that count as
those of people, or of unknown agents, can be a burst: the others are told apart already.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median_low

from footfall.events import decode_meta
from footfall.identity import database_now
from footfall.models import Agent, Burst, Kind, Segment
from footfall.models.viewers import signed
from footfall.store.read import decoded
from footfall.verdicts import current

FLOOR = 500
"""Views in an hour: fewer are no burst."""
TIMES = 20
"""How many times what is usual a burst has."""
HOURS = 2
"""That are looked at: the present one and those before it."""
MAX_EVENTS = 1_000_000
"""Of these hours that are looked at, the newest ones."""
MAX_SENDERS = 100_000
"""Of an hour that are in memory."""
MAX_FOUND = 20
"""Bursts of an hour that are kept, the largest ones."""
KEPT = timedelta(days=30)
ROWS_PER_QUERY = 16
HOUR = 3_600_000  # milliseconds

Sender = tuple[int, int]
"""Agent and visitor, 64 bits each; 0: not known."""


@dataclass
class Senders:
    """How often each sender has viewed in one hour. Those with few views may be left out."""

    views: Counter[Sender] = field(default_factory=Counter)
    few: Counter[int] = field(default_factory=Counter)
    """Of those that were left out: how many have so many views."""

    def add(self, sender: Sender, times: int) -> None:
        self.views[sender] += times
        if len(self.views) > MAX_SENDERS:
            self._leave_out()

    def _leave_out(self) -> None:
        """Leave out the half with the fewest views; what they view later is counted as new."""
        most = self.views.most_common(MAX_SENDERS // 2)
        self.few.update(Counter(self.views.values()) - Counter(times for _, times in most))
        self.views = Counter(dict(most))

    def times(self) -> Counter[int]:
        """Return how many known visitors have so many views."""
        return Counter(times for (_, visitor), times in self.views.items() if visitor) + self.few


def usual_of(times: Mapping[int, int], left_out: int = 0) -> float:
    """Return the median of numbers that come so many times, without one of them; 0: of none."""
    number = sum(times.values()) - (1 if left_out else 0)
    passed, value = 0, 0
    for value in sorted(times):
        passed += times[value] - (1 if value == left_out else 0)
        if 2 * passed > number:
            break
    return float(value) if number else 0.0


def find_bursts() -> None:
    """Note the bursts of the last hours; those of a month ago are forgotten."""
    now = database_now()
    hours = range(last := int(now.timestamp() * 1000) // HOUR, last - HOURS, -1)
    for hour, senders in read_senders(hours).items():
        found = [*bursts_of(senders)]
        _save(hour, sorted(found, key=lambda burst: -burst.views)[:MAX_FOUND])
    Burst.objects.filter(hour__lt=now - KEPT).delete()


def read_senders(hours: Sequence[int]) -> dict[int, Senders]:
    """Return who has viewed in these hours, since 1970, of agents that may be people."""
    found = {hour: Senders() for hour in hours}
    verdicts = current()
    read = 0
    for row in _newest(min(hours) * HOUR):
        events = decoded(row)
        kinds = verdicts.of(events.metas)
        senders = [
            (meta.agent, meta.visitor)
            if kinds is None or kinds.of_meta[i] in (Kind.PERSON, Kind.UNKNOWN)
            else None
            for i, meta in enumerate(map(decode_meta, events.metas))
        ]
        columns = zip(events.meta, (at // HOUR for at in events.at), strict=True)
        for (index, hour), times in Counter(columns).items():
            if hour in found and (sender := senders[index]) and any(sender):
                found[hour].add(sender, times)
        read += len(events)
        if read >= MAX_EVENTS:
            break
    return found


def _newest(since: int) -> Iterator[Segment]:
    """Yield the segments with events since then, in ms since 1970, the newest first."""
    rows = Segment.objects.filter(last_at__gte=since).order_by("-number")
    number = None
    while page := list((rows.filter(number__lt=number) if number else rows)[:ROWS_PER_QUERY]):
        yield from page
        number = page[-1].number


def bursts_of(senders: Senders) -> Iterator[Burst]:
    """Yield the bursts of one hour: of agents, and of the visitors of other agents."""
    of_agents: dict[int, list[int]] = {}
    for (agent, visitor), times in senders.views.items():
        if agent and visitor:
            of_agents.setdefault(agent, []).append(times)
    all_times = senders.times()
    alike = usual_of(all_times)
    flagged = set()
    for agent, times_of in of_agents.items():
        # An agent of many people has many views, too; but most of them have as many as others.
        if len(times_of) > 1 and is_burst(sum(times_of), median_low(times_of), alike):
            flagged.add(agent)
            yield Burst(agent=agent, visitor=0, views=sum(times_of), usual=round(alike))
    without = {agent: times for (agent, visitor), times in senders.views.items() if not visitor}
    yield from _without_visitors(without)
    for (agent, visitor), times in senders.views.items():
        if visitor and agent not in flagged and times >= FLOOR:
            usual = usual_of(all_times, times)
            if is_burst(times, times, usual):
                yield Burst(agent=agent, visitor=visitor, views=times, usual=round(usual))


def is_burst(views: int, each: float, usual: float) -> bool:
    return views >= FLOOR and each >= TIMES * max(1.0, usual)


def _without_visitors(views: Mapping[int, int]) -> Iterator[Burst]:
    """Yield the agents with many more views than they have had themselves, and than others have.

    views: by agent, those that do not say which visitor it was.
    """
    many = {agent: times for agent, times in views.items() if times >= FLOOR}
    rows, all_times = Agent.objects.in_bulk([*map(signed, many)]), Counter(views.values())
    for agent, times in many.items():
        usual = max(usual_of(all_times, times), _own_usual(rows.get(signed(agent))))
        if is_burst(times, times, usual):
            yield Burst(agent=agent, visitor=0, views=times, usual=round(usual))


def _own_usual(agent: Agent | None) -> float:
    """Return the views in an hour, on average, from when an agent was first seen until its views
    were counted last; 0 for one that is new."""
    if agent is None or agent.last_at is None:
        return 0.0
    hours = (agent.last_at - agent.first_at) / timedelta(hours=1)
    return agent.views / hours if hours >= HOURS else 0.0


def _save(hour: int, bursts: Sequence[Burst]) -> None:
    """Keep them; one that is kept already has more views now, and its decision as it is."""
    at = datetime.fromtimestamp(hour * HOUR / 1000, UTC)
    for burst in bursts:
        Burst.objects.update_or_create(
            hour=at,
            agent=signed(burst.agent),
            visitor=signed(burst.visitor),
            defaults={"views": burst.views, "usual": burst.usual},
        )

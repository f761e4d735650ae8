"""From stored events to what projections add up."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from footfall.store.segment import Events

HOUR = 3_600_000  # milliseconds


class Viewed(NamedTuple):
    """Events with the same targets in the same hour, from one partition."""

    body: bytes
    """The same for the same targets."""
    targets: Mapping[str, Sequence[int]]
    """Ids by label."""
    hour: int
    """Since 1970."""
    times: int
    """How many events."""
    partition: int


def views_of(events: Events) -> Iterator[Viewed]:
    """Yield what was viewed. Most runs are of one hour, and there the events are counted alone."""
    bodies, targets = events.bodies, events.targets
    start = 0
    for run in events.runs:
        end = start + run.events
        body, at = events.body[start:end], events.at[start:end]
        start = end
        first, last = min(at) // HOUR, max(at) // HOUR
        if first == last:
            for index, count in Counter(body).items():
                yield Viewed(bodies[index], targets[index], first, count, run.partition)
        else:
            alike = Counter(zip(body, [one // HOUR for one in at], strict=True))
            for (index, hour), count in alike.items():
                yield Viewed(bodies[index], targets[index], hour, count, run.partition)

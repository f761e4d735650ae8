"""Many views, as the log has them, for benchmarks of the event store."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from footfall import events
from footfall.models import Agent, Kind
from footfall.models.viewers import signed
from footfall.store.builder import EventsBuilder
from footfall.store.segment import Events
from tests.support.views import AT

PAGES, ON_EACH, PRODUCERS, PARTITIONS = 10_000, 15, 16, 8

Columns = dict[int, tuple[list[Any], list[Any], list[Any], list[Any], list[Any]]]
"""As `EventsBuilder.add` takes them, by partition."""


MIXTURE = {
    Kind.PERSON: 0.6, Kind.ROBOT: 0.23, Kind.PREFETCH: 0.03, Kind.MONITOR: 0.04,
    Kind.LIBRARY: 0.07, Kind.UNKNOWN: 0.03,
}  # fmt: skip
"""Of the agents, by kind."""
AGENTS = 300


def agent(number: int) -> int:
    """Return the hash of one of AGENTS."""
    return random.Random(number).getrandbits(64)


def viewers(visitors: int) -> list[bytes]:
    """Return the metadata of so many visitors. Few of the agents have most of them."""
    drawn = random.Random(3)
    weights = list(accumulate((n + 1) ** -0.5 for n in range(AGENTS)))
    numbers = drawn.choices(range(AGENTS), cum_weights=weights, k=visitors)
    return [
        events.encode_meta(events.Meta(visitor=drawn.getrandbits(64), agent=agent(number)))
        for number in numbers
    ]


def make_agents() -> None:
    """Make their rows, of all kinds."""
    kinds = random.Random(1).choices(list(MIXTURE), list(MIXTURE.values()), k=AGENTS)
    Agent.objects.bulk_create(
        Agent(hash=signed(agent(number)), string=f"Agent {number}", kind=kind)
        for number, kind in enumerate(kinds)
    )


class Traffic:
    """Views of pages, as the log has them: by partition, and by 16 producers."""

    def __init__(
        self, per_second: float, zipf: bool, with_meta: bool = False, scattered: bool = False
    ) -> None:
        self._scattered = scattered
        self._random = random.Random(1)
        self._per_second = per_second
        self._weights = list(accumulate(1 / (n + 1) if zipf or not n else 0 for n in range(PAGES)))
        self._producer_ids = [self._random.getrandbits(63) for _ in range(PRODUCERS)]
        self._partitions = [self._random.randrange(PARTITIONS) for _ in range(PAGES)]
        self._sequences: Counter[int] = Counter()
        self._with_meta = with_meta
        self._viewers = viewers(20_000) if with_meta else []
        self._at = float(AT)

    def columns(self, count: int) -> Columns:
        """Return the next so many views; every value is an object of its own, as from Redis."""
        found: Columns = defaultdict(lambda: ([], [], [], [], []))
        for page in self._random.choices(range(PAGES), cum_weights=self._weights, k=count):
            producer_id = self._random.choice(self._producer_ids)
            self._at += 1_000 / self._per_second
            sequence, at = self._sequences[producer_id], int(self._at)
            row = (producer_id + 0, sequence, at, body(page, self._scattered), self._meta())
            self._sequences[producer_id] += 1
            for column, value in zip(found[self._partitions[page]], row, strict=True):
                column.append(value)
        return found

    def _meta(self) -> bytes:
        """Return one of 20,000 visitors with one of 300 agents."""
        if not self._with_meta:
            return b""
        return bytes(bytearray(self._random.choice(self._viewers)))


def body(page: int, scattered: bool) -> bytes:
    """Return the body of a view. scattered: the ids of the contents are anywhere, not in a row."""
    contents: Sequence[int] = range(page * ON_EACH + 1, (page + 1) * ON_EACH + 1)
    if scattered:
        contents = random.Random(page).sample(range(1, PAGES * ON_EACH), ON_EACH)
    return events.encode({"pages.page": [page + 1], "pages.content": contents})


def build(columns: Columns) -> Events:
    builder = EventsBuilder()
    for partition, of_it in columns.items():
        builder.add(partition, *of_it)
    return builder.events()

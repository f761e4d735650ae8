"""What policies cost: `pytest -s tests/footfall/bench_policies.py`.

Not a test: pytest does not collect it by itself. The projection `totals` of contents, from the
event store on: processor time of this process, and of the database's for this connection, by
turns, all of each rolled back. Two segments of views by the same 20,000 visitors: most of the
second are known.
"""

import random
import time
from itertools import accumulate
from statistics import median
from typing import NamedTuple

import psutil
import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalog.pages.models import Content
from footfall import events
from footfall.models import Visit
from footfall.policies import DAY, HOUR, AtMost, Everything, OncePerVisitor, People, Policy
from footfall.projections.batch import read_batch
from footfall.projections.rows import BEGINNING, open_projections
from footfall.projections.totals import project_totals
from footfall.registry import counter_field
from footfall.store.append import append
from footfall.store.builder import EventsBuilder
from tests.support.traffic import make_agents, viewers

pytestmark = pytest.mark.django_db
PAGES, ON_EACH, EVENTS, TURNS = 1_000, 15, 20_000, 3
LABEL = "pages.content"
POLICIES: list[Policy] = [Everything(), People(), OncePerVisitor(DAY), AtMost(3, per=HOUR)]


class Cost(NamedTuple):
    here: float
    """Seconds of this process."""
    server: float
    visits: float
    """Rows."""


def store(bodies: list[bytes], zipf: bool, seed: int) -> None:
    """Append a segment of views by 20,000 visitors."""
    weights = list(accumulate(1 / (n + 1) for n in range(PAGES)))
    drawn = random.Random(seed)
    viewed = drawn.choices(bodies, cum_weights=weights, k=EVENTS) if zipf else bodies[:1] * EVENTS
    at = time.time_ns() // 1_000_000
    builder = EventsBuilder()
    of_events = drawn.choices(viewers(20_000), k=EVENTS)
    builder.add(0, [7] * EVENTS, range(EVENTS), [at] * EVENTS, viewed, of_events)
    before, _ = append(builder.events(), timezone.now())
    open_projections([LABEL], before)


@pytest.mark.parametrize("zipf", [False, True], ids=["hot", "Zipf"])
def test_policies(zipf: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    make_agents()
    contents = Content.objects.bulk_create(Content(title=f"{n}") for n in range(PAGES * ON_EACH))
    bodies = [
        events.encode({LABEL: [one.pk for one in contents[n * ON_EACH : (n + 1) * ON_EACH]]})
        for n in range(PAGES)
    ]
    for seed in (1, 2):
        store(bodies, zipf, seed)
    field = counter_field(Content)

    def seconds(policy: Policy) -> list[Cost]:
        monkeypatch.setattr(field, "policy", policy)
        before, position = transaction.savepoint(), BEGINNING
        costs = []
        for _ in range(2):
            here, there = time.process_time(), server_seconds()
            batch = read_batch(position, EVENTS, kinds=policy.tells_kinds)
            assert project_totals(LABEL, batch)
            here, there = time.process_time() - here, server_seconds() - there
            costs.append(Cost(here, there, Visit.objects.count()))
            position = batch.until
        transaction.savepoint_rollback(before)
        return costs

    turns = [[seconds(policy) for policy in POLICIES] for _ in range(TURNS)]
    for policy, rows in zip(POLICIES, zip(*turns, strict=True), strict=True):
        for n, title in enumerate(("new", "known")):
            cost = Cost(*map(median, zip(*(row[n] for row in rows), strict=True)))
            times = [row[n].here / first[0][n].here for row, first in zip(rows, turns, strict=True)]
            text = f"{cost.here * 1e3:,.0f} ms, {median(times):.1f} times as much"
            server = f"{cost.server * 1e3:,.0f} ms of the server"
            print(f"{policy}, {title}: {text}, and {server}; {cost.visits:,.0f} visits")  # noqa: T201


def server_seconds() -> float:
    """Return the processor time of the process that serves this connection; 0 if it has none."""
    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return sum(psutil.Process(cursor.fetchone()[0]).cpu_times()[:2])

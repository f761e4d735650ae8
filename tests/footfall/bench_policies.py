"""What policies cost: `pytest -s tests/footfall/bench_policies.py`.

Not a test: pytest does not collect it by itself. The projection `totals` of contents, from the
event store on: processor time of this process by turns, all of each rolled back.
"""

import random
import time
from itertools import accumulate
from statistics import median

import pytest
from django.db import transaction
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
PAGES, ON_EACH, EVENTS, TURNS = 1_000, 15, 2_000, 3
LABEL = "pages.content"
POLICIES: list[Policy] = [Everything(), People(), OncePerVisitor(DAY), AtMost(3, per=HOUR)]


def store(bodies: list[bytes], zipf: bool) -> None:
    """Append a segment of views by 20,000 visitors."""
    weights = list(accumulate(1 / (n + 1) for n in range(PAGES)))
    drawn = random.Random(1)
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
    store(bodies, zipf)
    field = counter_field(Content)

    def seconds(policy: Policy) -> tuple[float, float, int]:
        monkeypatch.setattr(field, "policy", policy)
        before = transaction.savepoint()
        began, cpu = time.perf_counter(), time.process_time()
        batch = read_batch(BEGINNING, EVENTS, kinds=policy.tells_kinds)
        assert project_totals(LABEL, batch)
        took = time.process_time() - cpu, time.perf_counter() - began, Visit.objects.count()
        transaction.savepoint_rollback(before)
        return took

    turns = [[seconds(policy) for policy in POLICIES] for _ in range(TURNS)]
    for policy, rows in zip(POLICIES, zip(*turns, strict=True), strict=True):
        cpu, took, visits = (median(column) for column in zip(*rows, strict=True))
        more = median(row[0] / first[0][0] for row, first in zip(rows, turns, strict=True))
        print(f"{policy}: {cpu * 1e3:,.0f} ms, {more:.1f} times as much, {took * 1e3:,.0f} ms by"  # noqa: T201
              f" the clock, {visits:,.0f} visits")  # fmt: skip

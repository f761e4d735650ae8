"""What visitors cost beside counters and series: `pytest -s tests/footfall/bench_visitors.py`.

From the event store on. Not a test: pytest does not collect it by itself. The suite's own
PostgreSQL is not durable: name another by DATABASE_URL.
"""

import random
import time
import tracemalloc
from itertools import accumulate

import pytest
from django.db import connection, transaction
from django.utils import timezone

from footfall import events
from footfall.events import Meta, encode_meta
from footfall.models import VisitorSketch
from footfall.projections.rows import KINDS, open_projections
from footfall.projections.run import apply_new_events
from footfall.recount.visitors import recount_all
from footfall.store.append import append
from footfall.store.builder import EventsBuilder
from tests.support.visits import PERSON, know_agents, people

pytestmark = pytest.mark.django_db(transaction=True)

PAGES, ON_EACH, PARTITIONS, PEOPLE = 10_000, 15, 8, 50_000
SEGMENT, ROUND, PARTS = 50_000, 100_000, 4


def say(text: str) -> None:
    print(text)  # noqa: T201


BODIES = [
    events.encode({
        "pages.page": [n + 1],
        "pages.content": range(n * ON_EACH + 1, (n + 1) * ON_EACH + 1),
    })
    for n in range(PAGES)
]  # fmt: skip
METAS = [encode_meta(Meta(visitor=one, agent=PERSON)) for one in people(PEOPLE)]


def store(zipf: bool, seed: int) -> None:
    """Append a segment of views, by people who come equally often."""
    drawn = random.Random(seed)
    weights = list(accumulate(1 / (n + 1) for n in range(PAGES)))
    viewed = drawn.choices(BODIES, cum_weights=weights, k=SEGMENT) if zipf else BODIES[:1] * SEGMENT
    metas = drawn.choices(METAS, k=SEGMENT)
    builder = EventsBuilder()
    at = time.time_ns() // 1_000_000
    size = SEGMENT // PARTITIONS
    for number in range(PARTITIONS):
        part = slice(number * size, (number + 1) * size)
        builder.add(number, [7] * size, range(size), [at] * size, viewed[part], metas[part])
    with transaction.atomic():
        before, _ = append(builder.events(), timezone.now())
        open_projections(["pages.page", "pages.content"], before)


@pytest.mark.parametrize("zipf", [True, False], ids=["Zipf", "hot"])
def test_projections(zipf: bool) -> None:
    say("")
    know_agents()
    for part in range(PARTS):
        for number in range(ROUND // SEGMENT):
            store(zipf, part * 10 + number)
        texts = []
        for kind in KINDS:
            began, cpu = time.perf_counter(), time.process_time()
            while apply_new_events(force=True, kinds=[kind]).more:
                pass
            took, busy = time.perf_counter() - began, time.process_time() - cpu
            texts.append(f"{kind} {took:.2f} s (Python {busy:.2f} s)")
        say(f"{ROUND:,} events: {', '.join(texts)}")
    rows = VisitorSketch.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(length(sketch)) FROM counters_visitorsketch")
        size = cursor.fetchone()[0]
    say(f"{rows:,} sketches of {size / rows:,.0f} B")
    began = time.perf_counter()
    recount_all("pages.content", None)
    say(f"{PARTS * ROUND:,} events of a day counted again: {time.perf_counter() - began:.2f} s")


def test_memory() -> None:
    know_agents()
    for number in range(4):
        store(True, number)
    tracemalloc.start()
    while apply_new_events(force=True, kinds=["visitors"]).more:
        pass
    say(f"\n200,000 events: {tracemalloc.get_traced_memory()[1] / 1024**2:.1f} MiB at most")
    tracemalloc.stop()

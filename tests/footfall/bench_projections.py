"""What counters and series cost: `pytest -s tests/footfall/bench_projections.py`.

From the event store on. Not a test: pytest does not collect it by itself. The suite's own
PostgreSQL is not durable: name another by DATABASE_URL.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalog.pages.models import Content, Page
from footfall import events, sql
from footfall.models import Projection
from footfall.ops.audit.run import differences
from footfall.projections import batch, run, totals
from footfall.projections.batch import Batch
from footfall.projections.rows import open_projections
from footfall.projections.run import apply_new_events
from footfall.store.append import append
from footfall.store.builder import EventsBuilder
from tests.support.traffic import make_agents, viewers

pytestmark = pytest.mark.django_db(transaction=True)

PAGES, ON_EACH, PARTITIONS = 10_000, 15, 8
SEGMENT = 50_000


def say(text: str) -> None:
    print(text)  # noqa: T201


@pytest.fixture
def bodies() -> list[bytes]:
    """The events of ten thousand pages with fifteen contents of their own each."""
    pages = Page.objects.bulk_create(Page(title=f"Page {n}") for n in range(PAGES))
    contents = Content.objects.bulk_create(
        Content(title=f"Content {n}") for n in range(PAGES * ON_EACH)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return [
        events.encode({
            "pages.page": [page.pk],
            "pages.content": [one.pk for one in contents[n * ON_EACH : (n + 1) * ON_EACH]],
        })
        for n, page in enumerate(pages)
    ]  # fmt: skip


def store(bodies: list[bytes], count: int, zipf: bool, seed: int, *, agents: bool = False) -> None:
    """Append a segment of views, the ranks of the pages shuffled. agents: by 20,000 visitors."""
    metas = viewers(20_000) if agents else [b""]
    ranked = random.Random(7).sample(bodies, len(bodies))
    weights = list(accumulate(1 / (n + 1) for n in range(len(bodies))))
    drawn = random.Random(seed)
    viewed = drawn.choices(ranked, cum_weights=weights, k=count) if zipf else [ranked[0]] * count
    builder = EventsBuilder()
    at = time.time_ns() // 1_000_000
    for partition in range(PARTITIONS):
        own = [body for body in viewed if hash(body) % PARTITIONS == partition]
        if own:
            some = len(own)
            of_events = drawn.choices(metas, k=some)
            builder.add(partition, [7] * some, range(some), [at] * some, own, of_events)
    with transaction.atomic():
        before, _ = append(builder.events(), timezone.now())
        open_projections(["pages.page", "pages.content"], before)


@contextmanager
def timed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """Collect the seconds of each step. What is called within another step is counted in both."""
    seconds: dict[str, float] = {}

    def clocked(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return step(*arguments, **named)
            finally:
                seconds[name] = seconds.get(name, 0) + time.perf_counter() - began

        return call

    with monkeypatch.context() as patch:
        for name, module, attribute in (
            ("read", run, "read_batch"),
            ("load", batch, "load"),
            ("counters", sql, "add_counts"),
            ("rollups", sql, "add_groups"),
            ("masks", Batch, "masks"),
            ("totals", totals, "apply"),
        ):
            patch.setattr(module, attribute, clocked(name, getattr(module, attribute)))
        sums = clocked("sums", Batch.hours.func)  # type: ignore[attr-defined]
        patch.setattr(Batch.hours, "func", sums)
        yield seconds


@pytest.mark.parametrize("agents", [False, True], ids=["unknown", "agents"])
@pytest.mark.parametrize("zipf", [True, False], ids=["Zipf", "hot"])
def test_drain(
    bodies: list[bytes], zipf: bool, agents: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    say("")
    if agents:
        make_agents()
    for part, segments in enumerate((2, 2, 4, 4, 10)):
        for number in range(segments):
            store(bodies, SEGMENT, zipf, part * 10 + number, agents=agents)
        with timed(monkeypatch) as seconds:
            began, cpu = time.perf_counter(), time.process_time()
            while apply_new_events(force=True).more:
                pass
            took, busy = time.perf_counter() - began, time.process_time() - cpu
        count = segments * SEGMENT
        steps = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
        say(
            f"{count:,} events in {took:.2f} s, {count / took:,.0f}/s; Python {busy:.2f} s: {steps}"
        )
    assert not list(differences())


def written() -> tuple[int, int]:
    """Return bytes of WAL, and rows written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        wal = int(cursor.fetchone()[0])
        cursor.execute("SELECT sum(n_tup_upd + n_tup_ins) FROM pg_stat_user_tables")
        return wal, int(cursor.fetchone()[0])


@pytest.mark.postgres
def test_written(bodies: list[bytes]) -> None:
    """3,000 Zipf reads a second: counters each second, series every ten. Without ingest."""
    say("")
    for part in range(4):
        wal, rows = 0, 0
        for second in range(10):
            store(bodies, 3_000, True, part * 10 + second)
            before = written()
            apply_new_events(kinds=["totals"])
            if second == 9:
                apply_new_events(kinds=["hourly"], force=True)
            after = written()
            wal, rows = wal + after[0] - before[0], rows + after[1] - before[1]
        say(f"30,000 reads: {wal / 30_000:,.0f} B of WAL and {rows / 30_000:.1f} rows per read")
    assert Projection.objects.values("number").distinct().count() == 1

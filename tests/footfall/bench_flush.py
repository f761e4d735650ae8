"""What the flush costs: `pytest -s tests/footfall/bench_flush.py`.

Not a test: pytest does not collect it by itself. The suite's own PostgreSQL does without
full_page_writes: name another by DATABASE_URL to see the WAL of one that is durable.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from statistics import median
from types import ModuleType
from typing import Any

import psutil
import pytest
import redis
from django.db import connection
from pytest_django import Settings

from catalog.pages.models import Content, Page, PageContent
from footfall import events, flush
from footfall.cache import publish
from footfall.cache.locations import Locations
from footfall.eventlog import EventId
from footfall.eventlog.envelope import RawEntry, columns_of, pack
from footfall.identity import Moment
from footfall.ingest.agents import keep_agents
from footfall.ingest.claims import Claim
from footfall.ingest.collect import build, decode_events, deduplicate
from footfall.ingest.producer_states import ProducerStates
from footfall.models import Agent, Partition
from footfall.models.viewers import signed
from footfall.ops.audit.run import differences
from footfall.projections import hourly, run, totals
from footfall.record import name_of, partition_for
from footfall.store.segment import encode
from tests.support.traffic import make_agents, viewers

pytestmark = pytest.mark.django_db(transaction=True)

PAGES, ON_EACH, EVENTS = 10_000, 15, 200_000
STAGES: dict[str, tuple[ModuleType, str]] = {
    "read": (flush, "read"),
    "deduplicate": (flush, "deduplicate"),
    "decode": (flush, "decode_events"),
    "keys": (flush, "drop_repeated"),
    "save progress": (flush, "save_progress"),
    "store": (flush, "append"),
    "read segments": (run, "read_batch"),
    "counters": (totals, "apply"),
    "rollups": (hourly, "apply"),
    "publish": (flush, "publish"),
    "trim": (flush, "trim"),
}


def say(text: str) -> None:
    print(text)  # noqa: T201


@pytest.fixture(autouse=True)
def as_in_production(settings: Settings, log: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.COUNTERS_PARTITIONS = 8
    settings.COUNTERS_BATCH_EVENTS = 50_000
    knowing: defaultdict[str, Locations] = defaultdict(
        lambda: Locations(life=0)
    )  # as after ten minutes
    monkeypatch.setattr(publish, "locations", knowing.__getitem__)


@pytest.fixture
def pages() -> list[Page]:
    """Ten thousand pages with fifteen contents of their own each."""
    pages = Page.objects.bulk_create(Page(title=f"Page {n}") for n in range(PAGES))
    contents = Content.objects.bulk_create(
        Content(title=f"Content {n}") for n in range(PAGES * ON_EACH)
    )
    PageContent.objects.bulk_create(
        PageContent(page=page, content=contents[n * ON_EACH + position], position=position)
        for n, page in enumerate(pages)
        for position in range(ON_EACH)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return pages


def bodies(pages: Sequence[Page]) -> dict[int, tuple[int, bytes]]:
    """Return the partition and the event of one view, by page."""
    first = Content.objects.order_by("pk")[0].pk
    by_page = {}
    for n, page in enumerate(pages):
        ids = {first + n * ON_EACH + position for position in range(ON_EACH)}
        body = events.encode({"pages.page": {page.pk}, "pages.content": ids})
        by_page[page.pk] = (partition_for(name_of(Page, page.pk)), body)
    return by_page


def view(
    server: redis.Redis,
    prefix: str,
    known: dict[int, tuple[int, bytes]],
    viewed: Sequence[int],
    metas: Sequence[bytes] = (b"",),
) -> None:
    """Append a view of each page, as 16 producers would, but faster."""
    at = time.time_ns() // 1_000_000
    producer_ids = [random.getrandbits(63) for _ in range(16)]
    sequences: Counter[tuple[int, int]] = Counter()
    offsets = {p: int(server.get(f"{prefix}:{{{p}}}:ordinal") or 0) for p in range(8)}
    for start in range(0, len(viewed), 5_000):
        with server.pipeline(transaction=False) as pipeline:
            for page in viewed[start : start + 5_000]:
                partition, body = known[page]
                producer_id = random.choice(producer_ids)
                offsets[partition] += 1
                event_id = EventId(producer_id, sequences[partition, producer_id])
                meta = random.choice(metas)
                header = offsets[partition].to_bytes(8, "big") + pack(event_id, at, meta)
                pipeline.xadd(f"{prefix}:{{{partition}}}:log", {"h": header, "b": body})
                sequences[partition, producer_id] += 1
            pipeline.execute()
    for partition, offset in offsets.items():
        server.set(f"{prefix}:{{{partition}}}:ordinal", offset)


def zipf(pages: Sequence[Page], number: int, seed: int = 1) -> list[int]:
    weights = list(accumulate(1 / (n + 1) for n in range(len(pages))))
    chosen = random.Random(seed).choices(pages, cum_weights=weights, k=number)
    return [page.pk for page in chosen]


@contextmanager
def stages(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """Collect the seconds of each stage of the flush."""
    seconds = dict.fromkeys(STAGES, 0.0)

    def timed(title: str, stage: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return stage(*arguments, **named)
            finally:
                seconds[title] += time.perf_counter() - began

        return run

    with monkeypatch.context() as patch:
        for title, (module, name) in STAGES.items():
            patch.setattr(module, name, timed(title, getattr(module, name)))
        yield seconds


def drain(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush everything, and say how fast and where the time went."""
    process = psutil.Process()
    before = process.memory_info().rss
    with stages(monkeypatch) as seconds:
        began, cpu = time.perf_counter(), time.process_time()
        drained = flush.flush_all()
        took, busy = time.perf_counter() - began, time.process_time() - cpu
    say(f"{title}: {drained:,} events in {took:.2f} s, {drained / took:,.0f}/s;"
        f" {drained / busy:,.0f} per second of its core;"
        f" {(process.memory_info().rss - before) / 2**20:+.0f} MiB")  # fmt: skip
    say("   " + ", ".join(f"{name} {seconds[name]:.2f} s" for name in STAGES))


@pytest.mark.parametrize("agents", [False, True], ids=["unknown", "agents"])
def test_drain(
    pages: list[Page],
    agents: bool,
    server: redis.Redis,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """agents: by 20,000 visitors with 300 agents of all kinds."""
    known, metas = bodies(pages), viewers(20_000) if agents else [b""]
    if agents:
        make_agents()
    say("")
    for title, viewed in {
        "one hot page": [pages[0].pk] * EVENTS,
        "Zipf over 10,000 pages": zipf(pages, EVENTS),
    }.items():
        view(server, prefix, known, viewed, metas)
        drain(title, monkeypatch)
    assert not list(differences())


@pytest.mark.parametrize("title", ["one hot page", "Zipf over 10,000 pages"])
def test_ingest(title: str) -> None:
    """From Redis' reply to the encoded segment, on one core: without Redis, and without SQL but
    the search for agents that have no row yet. By turns with metadata, of 30,000 visitors with
    1,000 agents, and without."""
    pages = range(1, PAGES + 1)
    weights = list(accumulate(1 / page for page in pages))
    viewed = random.Random(1).choices(pages, cum_weights=weights, k=50_000)
    viewed = viewed if "Zipf" in title else [1] * len(viewed)
    agents = [random.Random(n).getrandbits(64) for n in range(1_000)]
    visitors = [
        events.encode_meta(events.Meta(visitor=random.getrandbits(64), agent=agents[n % 1_000]))
        for n in range(30_000)
    ]
    Agent.objects.bulk_create(Agent(hash=signed(one), string=f"{one}") for one in agents)
    moment = Moment("", 0, datetime.now(UTC))

    def seconds(replies: dict[int, list[RawEntry]]) -> float:
        began = time.process_time()
        claims = [
            Claim(Partition(number=number), columns_of(reply)) for number, reply in replies.items()
        ]
        new, _ = deduplicate(claims, ProducerStates([]), moment)
        stored = build(decode_events(new))
        keep_agents(stored, moment)
        encode(stored, quickly=True)
        return time.process_time() - began

    both = replies_of(viewed, [b""]), replies_of(viewed, visitors)
    with flush.gc_paused():
        turns = [(seconds(both[0]), seconds(both[1])) for _ in range(15)]
    without, with_it = (len(viewed) / min(column) for column in zip(*turns, strict=True))
    more = median(one / other for other, one in turns) - 1
    say(f"{title}: {without:,.0f} events/s from the reply to the segment, {with_it:,.0f} of known"
        f" visitors: {more:+.0%}")  # fmt: skip


def replies_of(viewed: Sequence[int], metas: Sequence[bytes]) -> dict[int, list[RawEntry]]:
    """Return views of pages as Redis replies, by partition: by 16 producers, each value anew."""
    at = time.time_ns() // 1_000_000
    replies: dict[int, list[RawEntry]] = defaultdict(list)
    sequences: Counter[tuple[int, int]] = Counter()
    for number, page in enumerate(viewed):
        of_partition = replies[page % 8]
        producer = page % 8, number % 16 + 1
        event_id = EventId(producer[1], sequences[producer])
        sequences[producer] += 1
        header = len(of_partition).to_bytes(8, "big") + pack(event_id, at, random.choice(metas))
        contents = [page * ON_EACH + position for position in range(1, ON_EACH + 1)]
        body = events.encode({"pages.page": [page], "pages.content": contents})
        of_partition.append((b"%d-%d" % (at, number), [b"h", header, b"b", body]))
    return replies


def written() -> dict[str, int]:
    """Return what the database has written so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0', wal_fpi FROM pg_stat_wal")
        wal, images = cursor.fetchone()
        cursor.execute("SELECT sum(n_tup_upd), sum(n_tup_hot_upd), sum(n_tup_ins) FROM "
                       "pg_stat_user_tables")  # fmt: skip
        updated, hot, inserted = map(int, cursor.fetchone())
    return {
        "wal": int(wal), "images": images, "updated": updated, "hot": hot, "inserted": inserted
    }  # fmt: skip


def test_written(pages: list[Page], server: redis.Redis, prefix: str) -> None:
    """Six flushes, one a second, of a thousand Zipf reads each; then six more."""
    known = bodies(pages)
    with connection.cursor() as cursor:
        cursor.execute("SHOW full_page_writes")
        say(f"\nfull_page_writes {cursor.fetchone()[0]}")
        cursor.execute("CHECKPOINT")
    for part in range(3):
        before = written()
        for second in range(6):
            view(server, prefix, known, zipf(pages, 1_000, seed=part * 10 + second))
            flush.flush()
        now = {name: value - before[name] for name, value in written().items()}
        say(f"6,000 reads: {now['wal'] / 6_000:,.0f} bytes of WAL per view,"
            f" {now['images']} page images, {now['updated']:,} rows updated"
            f" ({now['hot'] / now['updated']:.0%} HOT), {now['inserted']:,} inserted")  # fmt: skip
    assert not list(differences())

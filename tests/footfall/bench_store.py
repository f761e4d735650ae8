"""What the event store costs: `pytest -s tests/footfall/bench_store.py`.

Not a test: pytest does not collect it by itself. Times are of the processor, the best of several.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import accumulate
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Length

from footfall import events
from footfall.models import Projection, Segment
from footfall.store import segment
from footfall.store.append import append
from footfall.store.builder import EventsBuilder, size_of
from footfall.store.compact import compact
from footfall.store.export import Export
from footfall.store.segment import VERSION, Events, decode, encode
from tests.support.views import AT

PAGES, ON_EACH, PRODUCERS, PARTITIONS = 10_000, 15, 16, 8
EVENTS, TIMES = 50_000, 7

Columns = dict[int, tuple[list[Any], list[Any], list[Any], list[Any], list[Any]]]
"""As `EventsBuilder.add` takes them, by partition."""


def say(text: str) -> None:
    print(text)  # noqa: T201


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
        known = random.Random(self._random.randrange(20_000))
        visitor, agent = known.getrandbits(64), random.Random(known.randrange(300)).getrandbits(64)
        return events.encode_meta(events.Meta(visitor=visitor, agent=agent))


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


def best(run: Callable[[], object]) -> float:
    """Return the seconds of the processor that a run takes."""
    seconds = []
    for _ in range(TIMES):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return min(seconds)


@pytest.mark.parametrize("with_meta", [False, True], ids=["", "with visitor and agent"])
@pytest.mark.parametrize("zipf", [False, True], ids=["hot", "Zipf"])
def test_encoding(zipf: bool, with_meta: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = Traffic(3_000, zipf, with_meta).columns(EVENTS)
    built = build(columns)
    data = encode(built)
    building, encoding = best(lambda: build(columns)), best(lambda: encode(built))
    decoding = best(lambda: decode(data, VERSION))
    say(f"\n{EVENTS / (building + encoding):,.0f} events/s from columns to data"
        f" (builder {building / EVENTS * 1e9:.0f} ns, encode {encoding / EVENTS * 1e9:.0f} ns),"
        f" {EVENTS / decoding:,.0f}/s decoded; {len(data) / EVENTS:.2f} B per event,"
        f" {size_of(built) / EVENTS:.1f} at most")  # fmt: skip
    for level in (1, 3, 6, 9):
        monkeypatch.setattr(segment, "LEVEL", level)
        took = best(lambda: encode(built))
        say(f"   level {level}: {len(encode(built)) / EVENTS:.2f} B, {took / EVENTS * 1e9:.0f} ns")


def ingest(traffic: Traffic, segments: int, events_each: int) -> None:
    """Append segments, a second apart, that were stored yesterday."""
    start = datetime.now(UTC).replace(hour=0, minute=0) - timedelta(days=1)
    for number in range(segments):
        with transaction.atomic():
            append(build(traffic.columns(events_each)), start + timedelta(seconds=number))


def table_bytes() -> int:
    """Return the size of the table with its indexes, without what is dead."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("VACUUM FULL counters_segment")
        cursor.execute("SELECT pg_total_relation_size('counters_segment')")
        return int(cursor.fetchone()[0])


def wal_bytes() -> int:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("segments", "events_each"),
    [(7_200, 1), (600, 100), (180, 1_000), (60, 3_000)],
    ids=["1/s", "100/s", "1000/s", "3000/s"],
)
@pytest.mark.parametrize("scattered", [False, True], ids=["", "scattered"])
def test_bytes_at_a_rate(segments: int, events_each: int, scattered: bool) -> None:
    """A segment a second."""
    count = segments * events_each
    began = wal_bytes()
    ingest(Traffic(events_each, zipf=True, scattered=scattered), segments, events_each)
    wal = wal_bytes() - began
    Projection.objects.create(name="totals:pages.content", number=segments)
    say("")
    say(f"{count:,} events in {segments:,} segments: {line(count)}, WAL {wal / count:.1f} B")
    began, cpu = wal_bytes(), time.process_time()
    removed = compact()
    cpu = time.process_time() - cpu
    wal = wal_bytes() - began
    say(f"   compacted to {segments - removed:,}: {line(count)}, WAL {wal / count:.1f} B,"
        f" {count / cpu:,.0f} events and {segments / cpu:,.0f} segments/s")  # fmt: skip
    cpu = time.process_time()
    Export().write(StringIO())
    say(f"   exported: {count / (time.process_time() - cpu):,.0f} events/s")


def line(count: int) -> str:
    data = Segment.objects.aggregate(n=Sum(Length("data")))["n"]
    return f"{data / count:.2f} B of data per event, {table_bytes() / count:.1f} B of the table"


@pytest.mark.django_db(transaction=True)
def test_compaction_as_time_goes_by() -> None:
    """An hour of one event a second, compacted every minute."""
    traffic = Traffic(1, zipf=True)
    began, written = time.process_time(), wal_bytes()
    removed = 0
    Projection.objects.create(name="totals:pages.content", number=10**9)
    for _minute in range(60):
        ingest(traffic, 60, 1)
        removed += compact()
    say(f"\n3,600 events: {3_600 - removed} segments are left, {line(3_600)},"
        f" WAL {(wal_bytes() - written) / 3_600:,.1f} B per event with ingest,"
        f" {time.process_time() - began:.1f} s with ingest")  # fmt: skip

"""What the event store costs: `pytest -s tests/footfall/bench_store.py`.

Not a test: pytest does not collect it by itself. Times are of the processor, the best of several.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Length

from footfall.models import Projection, Segment
from footfall.store import segment
from footfall.store.append import append
from footfall.store.builder import size_of
from footfall.store.compact import compact
from footfall.store.export import Export
from footfall.store.segment import VERSION, decode, encode
from tests.support.traffic import Traffic, build

EVENTS, TIMES = 50_000, 7


def say(text: str) -> None:
    print(text)  # noqa: T201


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

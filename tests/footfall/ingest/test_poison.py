"""Whatever is in the log or in the spill, no ingest fails for good, and the others are counted."""

import struct
from typing import Any
from unittest import mock

import pytest
import redis
from django.db import DataError, transaction
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as some
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall import flush as flushing
from footfall.events import encode
from footfall.flush import flush_all
from footfall.ingest.spill import spill
from footfall.log import get_log
from footfall.models import Audit, DeadLetter, Partition, Spilled
from footfall.ops.audit.run import run_audit
from footfall.record import record
from footfall.store import append
from tests.support.histories import histories
from tests.support.views import AT, Counts, body_1

pytestmark = pytest.mark.django_db

EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
LABELS = ["pages.content", "a.b", "a.\0", "\0", "é.ü", "a." + "b" * 200, "\ud800.x", "", "🎉.x"]
numbers = some.sampled_from(EDGES) | some.integers(0, 2**64 - 1)
texts = some.sampled_from([str(n) for n in (*EDGES, -1, 2**70)]) | some.binary(max_size=20)
labels = some.sampled_from(LABELS) | some.text(max_size=120)
ids = some.lists(numbers | some.just(-1), max_size=5)
bodies = (
    some.binary(max_size=60)
    | some.binary(max_size=60).map(lambda rest: b"\2" + rest)
    | some.builds(
        lambda label, rest: b"\2" + bytes([len(label)]) + label + rest,
        labels.map(lambda text: text.encode(errors="surrogatepass")[:255]),
        some.binary(max_size=30),
    )
    | some.dictionaries(labels, ids, max_size=3).map(lambda found: body_1(found))
    | some.just(body_1({"pages.content": [1]}, v=[[[]]] * 3))
    | some.just(b"[" * 100_000)
    | some.just(b'{"type":"Viewed","v":' + b"[" * 900 + b"]" * 900 + b"}")
    | some.just(b'{"type":"Viewed","v":1,"ids":{"a.b":[' + b"9" * 5_000 + b"]}}")
    | some.just(b"\2" + b"x" * 1024**2)
)
metas = some.binary(max_size=60) | some.just(b"\0" * 100_000)
version_2 = some.builds(
    lambda offset, producer, sequence, at, meta, body: {
        b"h": struct.pack(">QQIQ", offset, producer, sequence % 2**32, at) + meta,
        b"b": body,
    },
    *(numbers, numbers, numbers, numbers, metas, bodies),
)
version_1 = some.builds(
    lambda s, n, t, o, b: {b"s": s, b"n": n, b"t": t, b"o": o, b"b": b},
    *(texts, texts, texts, texts, bodies),
)
any_fields: Any = some.dictionaries(some.binary(max_size=5), bodies, min_size=1, max_size=6)
entries = version_2 | version_1 | any_fields
spilled = some.builds(
    Spilled,
    partition=some.sampled_from([0, 1, 7, 32_767]),
    producer_id=some.none() | some.integers(-(2**63), 2**63 - 1),
    sequence=some.none() | some.integers(-(2**63), 2**63 - 1),
    at=some.integers(-(2**63), 2**63 - 1),
    body=bodies,
    meta=some.none() | metas,
)


@pytest.fixture(autouse=True)
def small_batches(settings: Settings) -> None:
    """A batch that fails is halved six times, instead of sixteen, until one event is left."""
    settings.COUNTERS_BATCH_EVENTS = 64


lots = some.lists(entries | spilled, min_size=1, max_size=12)


@histories(5, 20)
def test_no_entry_stops_an_ingest(
    page: Page, contents: list[Content], counts: Counts, server: redis.Redis, prefix: str,
    histories: int,
) -> None:  # fmt: skip
    @run_with(max_examples=histories)
    @given(poison=some.tuples(lots, lots, lots, lots))
    def ingest(poison: tuple[list[Any], ...]) -> None:
        ingest_all(poison, page, contents, counts, server, prefix)

    ingest()


def ingest_all(
    poison: tuple[list[Any], ...], page: Page, contents: list[Content], counts: Counts,
    server: redis.Redis, prefix: str,
) -> None:  # fmt: skip
    """Ingest each lot by itself; audit all at once, which takes longest."""
    before = transaction.savepoint()
    viewed = 0
    for lot in poison:
        for one in lot:
            record(page, contents)
            if isinstance(one, Spilled):
                one.pk = None
                one.save(force_insert=True)
            else:
                for number in (0, 1):
                    server.xadd(f"{prefix}:{{{number}}}:log", one)
        record(page, contents)
        viewed += len(lot) + 1

        flush_all()

        assert min(counts()) >= viewed
        assert not Spilled.objects.exists()
    assert flush_all() == 0
    assert not [line for line in run_audit(Audit()) if "half" not in line]
    transaction.savepoint_rollback(before)
    get_log().close()
    for key in server.scan_iter(f"{prefix}:*"):
        server.delete(key)


def test_an_event_that_cannot_be_stored_is_found_among_others(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    """Whatever it has that nothing else has found: it is refused by the database."""
    bad = encode({"poison.poison": [1]})
    for number in range(9):
        record(page, contents)
        if number % 4 == 1:
            get_log().append(number % 2, bad, AT)
            spill(number % 2, bad, AT)
            spill(0, encode({"pages.content": [contents[0].pk]}), AT)
    real = append.append

    def refusing(events: Any, *arguments: Any, **named: Any) -> Any:
        if bad in events.bodies:
            raise DataError("value out of range\0")
        return real(events, *arguments, **named)

    with mock.patch.object(flushing, "append", refusing):
        flush_all()

    assert counts() == [11, 9, 9]
    letters = DeadLetter.waiting()
    assert letters.count() == 4
    assert set(letters.values_list("reason", flat=True)) == {"DataError: value out of range\\0"}
    assert not Spilled.objects.exists()
    assert not list(run_audit(Audit()))


def test_what_is_no_fault_of_an_event_is_raised(page: Page, contents: list[Content]) -> None:
    """If not even its dead letter can be stored, nothing is taken away."""
    record(page, contents)
    broken = mock.patch.object(flushing, "save_progress", side_effect=DataError("broken"))

    with broken, pytest.raises(DataError):
        flush_all()

    assert not DeadLetter.objects.exists()
    assert flush_all() == 1
    assert not Partition.objects.exclude(missing=0).exists()

"""How many events a log has lost, and where it is shown."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import transaction

from catalog.pages.models import Content, Page
from footfall.eventlog import Columns
from footfall.eventlog.entries import UNKNOWN_DAY, new_producer_id
from footfall.flush import flush, flush_all
from footfall.ingest.producer_states import Kept, ProducerStates
from footfall.models import Audit, Partition, ProducerState
from footfall.ops.audit.run import differences, run_audit
from footfall.ops.status import status
from footfall.record import name_of, partition_for, record
from tests.support.views import AT, Counts

NEW = new_producer_id(50)
UNKNOWN = new_producer_id(UNKNOWN_DAY)
OF_A_WEEK_AGO = new_producer_id(43)
FROM_BEFORE = new_producer_id(20_000)
"""Ids were random: its day is in the future. So sequences were shared by all partitions."""
ALL_KEPT = Kept(today=50)
PRUNED = Kept(since=AT - 7 * 24 * 3_600_000, epoch=43 * 24, today=50)


@pytest.mark.parametrize(
    ("producer_id", "state", "sequences", "kept", "lost"),
    [
        (NEW, 100, [101, 102], ALL_KEPT, 0),
        (NEW, 100, [150], ALL_KEPT, 49),
        (NEW, 100, [101, 105, 106], PRUNED, 3),
        (NEW, 100, [99, 100], ALL_KEPT, 0),
        (NEW, None, [0, 1], ALL_KEPT, 0),
        (NEW, None, [7], ALL_KEPT, 7),
        (NEW, -1, [7], ALL_KEPT, 7),  # a spilled copy of its last event was counted before
        (NEW, None, [7], PRUNED, 7),
        (OF_A_WEEK_AGO, None, [7], PRUNED, 0),  # its state may have been removed
        (OF_A_WEEK_AGO, 5, [7], PRUNED, 1),
        (UNKNOWN, None, [7], ALL_KEPT, 7),
        (UNKNOWN, None, [7], PRUNED, 0),
        (UNKNOWN, 5, [7], PRUNED, 1),
        (FROM_BEFORE, None, [7], ALL_KEPT, 0),
        (FROM_BEFORE, 5, [7, 12], ALL_KEPT, 0),
    ],
    ids=range(15),  # producer ids are random, and every process must have the same names
)
def test_sequences_that_are_left_out_are_lost(
    producer_id: int, state: int | None, sequences: list[int], kept: Kept, lost: int
) -> None:
    known = [] if state is None else [state]
    states = ProducerStates(
        ProducerState(producer_id=producer_id, partition=0, sequence=one) for one in known
    )

    states.accept(entries(producer_id, sequences), 0, kept)

    assert states.lost[0] == lost


def test_a_producer_of_version_1_leaves_sequences_out() -> None:
    states = ProducerStates([])
    columns = entries(NEW, [3, 9])
    columns.sparse = {NEW}

    states.accept(columns, 0, ALL_KEPT)

    assert states.lost[0] == 0


def entries(producer_id: int, sequences: list[int]) -> Columns:
    return Columns.of(
        [(b"%d-%d" % (AT, n), producer_id, n, AT, n + 1, b"body", b"") for n in sequences]
    )


@pytest.mark.django_db
def test_a_database_older_than_the_log_reaches_back_tells_what_it_lost(
    page: Page,
    contents: list[Content],
    counts: Counts,
    server: redis.Redis,
    prefix: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ten views after the backup; the log has trimmed four of them by the time it is restored."""
    record(page, contents)
    flush()
    backup = transaction.savepoint()
    for _ in range(10):
        record(page, contents)
    flush_all()
    (stream,) = server.scan_iter(f"{prefix}:*:log")
    server.xtrim(stream, maxlen=6, approximate=False)
    transaction.savepoint_rollback(backup)

    record(page, contents)
    flush_all()

    assert counts() == [1 + 6 + 1] * 3
    assert (status().missing, status().missed_at is not None) == (4, True)
    call_command("counters", "status")
    assert "lost inside a store: at least 4 events" in capsys.readouterr().out


# --- What was done to a running service, and what it must say of it -------------------------------


def ordinal_deleted(server: redis.Redis, key: str) -> Any:
    server.delete(f"{key}:ordinal")


def ordinal_of_a_wrong_type(server: redis.Redis, key: str) -> Any:
    server.delete(f"{key}:ordinal")
    server.lpush(f"{key}:ordinal", "x")


def ordinal_forged(server: redis.Redis, key: str) -> Any:
    server.set(f"{key}:ordinal", 1_000)


def ordinal_at_the_end(server: redis.Redis, key: str) -> Any:
    server.set(f"{key}:ordinal", 2**63 - 1)


def emptied(server: redis.Redis, key: str) -> Any:
    server.delete(f"{key}:log", f"{key}:ordinal")


def trimmed(server: redis.Redis, key: str) -> Any:
    server.xtrim(f"{key}:log", maxlen=1, approximate=False)


def removed_by_hand(server: redis.Redis, key: str) -> Any:
    entries: Any = server.xrevrange(f"{key}:log", count=3)
    server.xdel(f"{key}:log", entries[-1][0])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("done", "lost"),
    [
        (ordinal_deleted, 0),
        (ordinal_of_a_wrong_type, 0),
        (ordinal_forged, 0),
        (ordinal_at_the_end, 0),
        (emptied, 12),
        (trimmed, 11),
        (removed_by_hand, 1),
    ],
)
def test_what_is_lost_is_told_and_nothing_else(
    done: Callable[[redis.Redis, str], Any],
    lost: int,
    page: Page,
    contents: list[Content],
    counts: Counts,
    server: redis.Redis,
    prefix: str,
) -> None:
    """12 views wait."""
    record(page, contents)
    flush_all()
    for _ in range(12):
        record(page, contents)

    done(server, f"{prefix}:{{{partition_for(name_of(Page, page.pk))}}}")
    for _ in range(2):
        record(page, contents)
        record(page, contents)
        assert status().pending in range(2, 17)
        flush_all()
        assert status().pending == 0

    assert counts() == [1 + 12 - lost + 4] * 3
    assert status().missing == lost
    assert not list(differences())


@pytest.mark.django_db
def test_a_redis_from_an_older_copy_tells_what_it_lost(
    page: Page, contents: list[Content], counts: Counts, server: redis.Redis, prefix: str
) -> None:
    record(page, contents)
    flush_all()
    copy = {key: server.dump(key) or b"" for key in server.scan_iter(f"{prefix}:*")}
    for _ in range(5):
        record(page, contents)
    flush_all()
    for _ in range(3):
        record(page, contents)

    for key, dumped in copy.items():
        server.restore(key, 0, dumped, replace=True)
    record(page, contents)
    flush_all()

    assert counts() == [1 + 5 + 1] * 3
    assert status().missing == 3
    assert not list(run_audit(Audit()))


@pytest.mark.django_db
def test_a_forged_sequence_stops_nothing(
    page: Page, contents: list[Content], counts: Counts, server: redis.Redis, prefix: str
) -> None:
    Partition.objects.create(number=0, missing=2**63 - 5)
    forged = {"h": (2**63).to_bytes(8, "big") + new_producer_id(0).to_bytes(8, "big")
              + b"\xff" * 4 + AT.to_bytes(8, "big"), "b": b"?"}  # fmt: skip
    server.xadd(f"{prefix}:{{0}}:log", forged)  # type: ignore[arg-type]
    record(page, contents)

    flush_all()
    flush_all()

    assert counts() == [1, 1, 1]
    assert Partition.objects.get(number=0).missing == 2**63 - 1

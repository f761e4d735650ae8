"""An event with a key counts once, wherever and however often it turns up."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import redis
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from catalog.pages.models import Content, Page
from footfall import events, sql
from footfall.eventlog import RedisLog
from footfall.events import DropReason, Meta, encode_meta
from footfall.events.keys import Life, make_key, with_key
from footfall.flush import flush, flush_all
from footfall.identity import HOURS_PER_DAY
from footfall.ingest.keys import MARGIN
from footfall.ingest.spill import replay, spill
from footfall.models import ClientKey, DeadLetter, Identity, Partition, Projection, Segment, Spilled
from footfall.ops import retention
from footfall.ops.audit.invariants import unaccounted_events
from footfall.ops.audit.run import differences
from footfall.record import record
from loadtest.common.waiting import wait_until
from tests.support.concurrency import in_transaction
from tests.support.store import all_stored
from tests.support.views import AT, Counts, body_1, make_older

pytestmark = pytest.mark.django_db


def keyed(number: int, meta: bytes = b"") -> bytes:
    return with_key(meta, make_key(Life.WEEK, number))


@pytest.fixture
def body(contents: list[Content]) -> bytes:
    """Return the event of a view of the first content."""
    return events.encode({"pages.content": [contents[0].pk]})


def stored_keys() -> set[bytes]:
    return {key.bytes for key in ClientKey.objects.values_list("pk", flat=True)}


@pytest.mark.parametrize("flushes", [True, False])
def test_a_repeated_event_counts_once(
    flushes: bool, page: Page, contents: list[Content], counts: Counts
) -> None:
    """`flushes`: after each; else all are in one batch."""
    dropped = 0
    for number in (1, 2, 1, 1, 3, 2):
        record(page, contents, key=make_key(Life.WEEK, number))
        dropped += flush().dropped[DropReason.REPEATED] if flushes else 0
    dropped += flush().dropped[DropReason.REPEATED]

    assert counts() == [3, 3, 3]
    assert dropped == 3
    assert stored_keys() == {make_key(Life.WEEK, number) for number in (1, 2, 3)}
    assert sum(one.dropped.get("repeated", 0) for one in Partition.objects.all()) == 3
    assert sum(one.keyed for one in Segment.objects.all()) == 3
    assert not list(differences())
    assert not list(unaccounted_events())


def test_events_without_a_key_are_as_ever(log: RedisLog, body: bytes, counts: Counts) -> None:
    for meta in (b"", encode_meta(Meta(visitor=5)), keyed(1, encode_meta(Meta(visitor=5))), b""):
        log.append(0, body, AT, meta)

    assert not flush().dropped
    assert counts() == [4, 0, 0]


def test_the_event_store_keeps_everything_but_the_key(log: RedisLog, body: bytes) -> None:
    log.append(0, body, AT, keyed(1, encode_meta(Meta(visitor=5, agent=7))))
    log.append(0, body, AT, keyed(2))

    flush()

    assert [one.meta for one in all_stored()] == [encode_meta(Meta(visitor=5, agent=7)), b""]


@pytest.mark.parametrize("flushes", [True, False])
def test_a_key_counts_once_in_all_partitions(
    flushes: bool, log: RedisLog, body: bytes, counts: Counts
) -> None:
    """As when the number of partitions has changed between the two."""
    for partition in (1, 0):
        log.append(partition, body, AT, keyed(1))
        if flushes:
            flush()
    flush()

    assert counts() == [1, 0, 0]


def test_what_was_spilled_is_not_counted_beside_what_was_not(
    log: RedisLog, body: bytes, counts: Counts
) -> None:
    spill(0, body, AT, meta=keyed(1))
    log.append(0, body, AT, keyed(1))
    spill(0, body, AT, meta=keyed(1))
    spill(0, body, AT, meta=keyed(2))

    flush_all()

    assert counts() == [2, 0, 0]


def test_a_view_of_version_1_has_a_key_like_any_other(
    log: RedisLog, contents: list[Content], body: bytes, counts: Counts
) -> None:
    log.append(0, body_1({"pages.content": [contents[0].pk]}), AT, keyed(1))
    log.append(0, body, AT, keyed(1))

    flush_all()

    assert counts() == [1, 0, 0]


def test_a_dead_letter_uses_no_key_up_and_is_replayed_once(
    log: RedisLog, body: bytes, counts: Counts
) -> None:
    log.append(0, b"\x02\xff", AT, keyed(1))
    log.append(0, b"\x02\xff", AT, keyed(1))
    flush()
    assert not stored_keys()
    DeadLetter.objects.update(body=body)  # as if a later version could read it

    assert replay(DeadLetter.objects.all()) == 2
    flush_all()
    log.append(0, body, AT, keyed(1))
    flush_all()

    assert counts() == [1, 0, 0]


def test_what_was_counted_meanwhile_is_not_replayed(
    log: RedisLog, body: bytes, counts: Counts
) -> None:
    log.append(0, b"\x02\xff", AT, keyed(1))
    log.append(0, body, AT, keyed(1))
    flush_all()
    DeadLetter.objects.update(body=body)

    # Long after the key's own time.
    Identity.objects.update(epoch=100 * HOURS_PER_DAY)
    retention.prune()
    replay(DeadLetter.objects.all())
    flush_all()

    assert counts() == [1, 0, 0]


def test_an_event_with_a_key_that_is_none_becomes_a_dead_letter(
    log: RedisLog, body: bytes, counts: Counts
) -> None:
    log.append(0, body, AT, keyed(1))
    log.append(0, body, AT, encode_meta(Meta(key=b"\xff" * 16)))
    log.append(0, body, AT, keyed(2))

    flush_all()

    assert counts() == [2, 0, 0]
    assert DeadLetter.objects.get().reason.startswith("ValueError: an event has a key")


def test_an_ingest_that_fails_uses_no_key_up(
    page: Page, contents: list[Content], counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(page, contents, key=make_key(Life.WEEK, 1))

    def fail(*arguments: object, **named: object) -> None:
        raise sql.Conflict

    with monkeypatch.context() as patch:
        patch.setattr("footfall.flush.append", fail)
        with pytest.raises(sql.Conflict):
            flush()
    flush_all()

    assert counts() == [1, 1, 1]


def test_a_database_that_is_counted_anew_from_the_store_counts_the_same(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    for number in (1, 1, 2):
        record(page, contents, key=make_key(Life.WEEK, number))
    flush_all()

    Content.objects.update(counter=0)
    Projection.objects.filter(name="totals:pages.content").update(number=0, key=0, events=0)
    flush_all()

    assert counts() == [2, 2, 2]


# --- Their time -----------------------------------------------------------------------------------


def after(hours: int) -> None:
    Identity.objects.update(epoch=hours)
    retention.prune()


@pytest.mark.parametrize("life", Life)
def test_a_key_is_known_for_its_life_and_then_no_more(
    life: Life, page: Page, contents: list[Content], counts: Counts
) -> None:
    Identity.objects.update(epoch=0)
    for lifetime in Life:
        record(page, contents, key=make_key(lifetime, 1))
    flush_all()

    after(life + MARGIN - 1)
    record(page, contents, key=make_key(life, 1))
    flush_all()
    assert counts() == [2, 2, 2]
    after(life + MARGIN)
    record(page, contents, key=make_key(life, 1))
    flush_all()
    assert counts() == [3, 3, 3]


def test_an_older_flusher_stores_nothing() -> None:
    """It would count what is repeated. What it inserts has no column that it does not know."""
    known = [one.column for one in Segment._meta.concrete_fields if one.column != "keyed"]
    Segment.objects.create(
        number=1, first=1, key=1, events=0, first_at=0, last_at=0, version=1, checksum=0, data=b"",
        stored_at=timezone.now(),
    )  # fmt: skip
    columns = ", ".join(connection.ops.quote_name(str(one)) for one in known)
    others = columns.replace(connection.ops.quote_name("number"), "2", 1)
    table = Segment._meta.db_table

    fails = pytest.raises(DatabaseError, match="keyed")
    with fails, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {others} FROM {table}")  # noqa: S608


@pytest.mark.parametrize("waits_in", ["log", "spill"])
def test_no_key_goes_while_events_wait_that_may_have_it(
    waits_in: str, log: RedisLog, server: redis.Redis, prefix: str, body: bytes, counts: Counts
) -> None:
    Identity.objects.update(epoch=0)
    log.append(0, body, AT, keyed(1))
    flush_all()
    server.delete(f"{prefix}:{{0}}:log")
    if waits_in == "log":
        log.append(0, body, AT, keyed(1))
        make_older(server, prefix, seconds=2 * 3600)
    else:
        spill(0, body, AT, meta=keyed(1))
    Spilled.objects.update(inserted_at="2025-01-01T00:00:00Z")

    after(1_000)
    assert stored_keys()
    flush_all()

    assert counts() == [1, 0, 0]
    after(1_000)
    assert not stored_keys()


# --- Several at once ------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("commits", [True, False])
def test_of_two_ingests_the_one_that_commits_has_the_key(
    commits: bool, log: RedisLog, body: bytes, counts: Counts
) -> None:
    """Another one, of another partition, has stored the key, and is not through yet."""
    log.append(0, body, AT, keyed(1))
    log.append(0, body, AT, keyed(2))

    def flush_here() -> None:
        try:
            flush()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        others = {make_key(Life.WEEK, 1): 1_000}
        with in_transaction(lambda: sql.add_keys(others), commit=commits):
            flushing = threads.submit(flush_here)
            wait_until(is_waiting)
        flushing.result(60)

    assert counts() == [1 if commits else 2, 0, 0]
    assert len(stored_keys()) == 2


def is_waiting() -> bool:
    """Tell whether a statement of this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def test_only_new_keys_are_added() -> None:
    first, second, third = (make_key(Life.DAY, number) for number in range(3))

    assert sql.add_keys({first: 5, second: 6}) == {first, second}
    assert sql.add_keys({third: 7, second: 8, first: 9}) == {third}
    assert sql.add_keys({}) == set()
    assert dict(ClientKey.objects.values_list("pk", "until")) == {
        UUID(bytes=first): 5,
        UUID(bytes=second): 6,
        UUID(bytes=third): 7,
    }

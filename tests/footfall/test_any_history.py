"""Log, spill, flush, trim, crashes and losses in any order, held against the promise.

Hypothesis makes the histories; the database, Redis, and everything between them are the real ones.
Each view is of a content of its own, so its counter tells whether it was counted.
`FOOTFALL_HISTORIES=500` has it try more.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import redis
from django.db import transaction
from django.db.models import Subquery
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from catalog.pages.models import Content
from footfall import events
from footfall.eventlog import EventId
from footfall.eventlog.lua_scripts import APPEND
from footfall.eventlog.producer import Producer
from footfall.events.keys import Life, make_key
from footfall.flush import flush, flush_all, ingest
from footfall.ingest.spill import spill
from footfall.log import get_log
from footfall.models import Partition, Projection, Segment, Spilled
from footfall.ops.audit.run import differences
from footfall.projections.rows import KINDS
from footfall.projections.run import apply_new_events
from footfall.record import name_of, partition_for, record, targets
from footfall.store.compact import compact
from footfall.store.read import verified
from tests.support.crashes import dying
from tests.support.failpoints import COMPACT, INGEST, PROJECT
from tests.support.histories import histories

pytestmark = pytest.mark.django_db

PARTITIONS = 2  # as the fixture `log` has set
CAP = 2**30
HOUR_MS = 3_600_000
STEPS = 30  # at most
VIEWS_PER_STEP = 4  # at most
LIMITS = (100, 3, 1)  # events in one flush


class History(RuleBasedStateMachine):
    """`exact` are views of which the promise is: counted once. The others: at most once."""

    server: redis.Redis
    prefix: str

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        new = [Content(title=f"Content {n}") for n in range(STEPS * VIEWS_PER_STEP)]
        self.unseen = Content.objects.bulk_create(new)
        self.exact: dict[int, Content] = {}
        self.keyed: list[Content] = []
        self.underway: list[tuple[Content, EventId]] = []
        self.past: dict[bytes, bytes] = {}
        self.has_lost = False
        self.backup = transaction.savepoint()

    def teardown(self) -> None:
        while self.underway:
            self.an_append_lands_late(0)
        flush_all()
        counters = self.counters()
        assert counters.keys() >= self.exact.keys()
        assert set(counters.values()) <= {1}
        assert not list(differences())
        self.forget_log()
        get_log().close()  # what its producers have appended, the next history does not know
        transaction.savepoint_rollback(self.before)

    # --- Views ------------------------------------------------------------------------------------

    @rule(number=some.integers(1, VIEWS_PER_STEP))
    def pages_are_read(self, number: int) -> None:
        for _ in range(number):
            content = self.unseen.pop()
            record(content)
            self.exact[content.pk] = content

    @rule(number=some.integers(1, VIEWS_PER_STEP))
    def pages_are_read_and_counted(self, number: int) -> None:
        self.pages_are_read(number)
        flush()

    @rule(times=some.integers(1, VIEWS_PER_STEP), spilled=some.booleans())
    def a_view_with_a_key_is_sent(self, times: int, spilled: bool) -> None:
        self.keyed.append(self.unseen.pop())
        for _ in range(times):
            self.a_view_with_a_key_is_sent_again(-1, len(self.keyed) % PARTITIONS, spilled)

    @rule(
        which=some.integers(), partition=some.integers(0, PARTITIONS - 1), spilled=some.booleans()
    )
    def a_view_with_a_key_is_sent_again(self, which: int, partition: int, spilled: bool) -> None:
        """To any partition: their number may have changed meanwhile."""
        if self.keyed:
            content = self.keyed[which % len(self.keyed)]
            meta = events.encode_meta(events.Meta(key=make_key(Life.WEEK, content.pk)))
            if spilled:
                spill(partition, body(content), now(), meta=meta)
            else:
                get_log().append(partition, body(content), now(), meta)
            self.exact[content.pk] = content

    @rule()
    def a_page_is_read_while_redis_is_away(self) -> None:
        content = self.unseen.pop()
        self.spill(content, None)

    @rule(lands=some.sampled_from(["early", "late", "never"]), answered=some.booleans())
    def an_append_gets_no_answer(self, lands: str, answered: bool) -> None:
        """`answered`: the view was spilled. Else the web worker died, or the database was away."""
        content = self.unseen.pop()
        log: Any = get_log()
        producers = log._appending.producers
        producer = producers._idle.pop() if producers._idle else Producer(producers._connections)
        (stream, _) = self.keys_of(content)
        event_id = EventId(producer.producer_id, producer._sequences.get(stream, 0))
        producer.close()
        if lands == "early":
            self.land(content, event_id)
        if answered:
            self.spill(content, event_id)
        if lands == "late":
            self.underway.append((content, event_id))

    @rule(which=some.integers(0, 9))
    def an_append_lands_late(self, which: int) -> None:
        if self.underway:
            self.land(*self.underway.pop(which % len(self.underway)))

    # --- The flush --------------------------------------------------------------------------------

    @rule(limit=some.sampled_from(LIMITS))
    def flushes(self, limit: int) -> None:
        flush(limit)

    @rule(
        number=some.integers(0, VIEWS_PER_STEP),
        limit=some.sampled_from(LIMITS),
        dies=some.sampled_from(sorted({*INGEST, *PROJECT})),
    )
    def the_flush_dies(self, number: int, limit: int, dies: str) -> None:
        """In the projections it dies only if there is something to project."""
        self.pages_are_read(number)
        with dying(dies):
            flush(limit)

    @rule(limit=some.sampled_from(LIMITS))
    def only_an_ingest_runs(self, limit: int) -> None:
        ingest(limit)

    @rule(max_events=some.integers(1, 3), kinds=some.sampled_from(KINDS))
    def one_kind_of_projection_comes_forward(self, max_events: int, kinds: str) -> None:
        apply_new_events(force=True, kinds=[kinds], max_events=max_events)

    @rule(dies=some.sampled_from(["", *COMPACT]))
    def the_store_is_compacted(self, dies: str) -> None:
        with mock.patch("footfall.store.compact.MIN_AGE", timedelta()), dying(dies):
            compact()

    # --- The stores -------------------------------------------------------------------------------

    @rule()
    def redis_is_backed_up(self) -> None:
        self.past = {key: self.server.dump(key) or b"" for key in self.keys()}

    @rule(number=some.integers(1, VIEWS_PER_STEP))
    def redis_is_restored(self, number: int) -> None:
        """From a backup, or empty. Pages are read before anything is flushed."""
        self.has_lost = True
        self.forget_log()
        for key, dumped in self.past.items():
            self.server.restore(key, 0, dumped)
        self.excuse_what_is_gone()
        self.pages_are_read(number)

    @rule()
    def the_clock_of_redis_jumps_an_hour(self) -> None:
        ahead = f"{time.time_ns() // 1_000_000 + HOUR_MS}-0"
        for key in self.keys():
            if key.endswith(b":log"):
                with suppress(redis.ResponseError):  # it has jumped that far before
                    self.server.execute_command("XSETID", key, ahead)  # type: ignore[no-untyped-call]

    @rule()
    def the_database_is_backed_up(self) -> None:
        self.backup = transaction.savepoint()

    @rule()
    def the_database_is_restored(self) -> None:
        transaction.savepoint_rollback(self.backup)
        self.has_lost = True
        self.excuse_what_is_gone()

    @rule()
    def the_positions_are_lost(self) -> None:
        Partition.objects.update(position="", producer_id=None, sequence=None, offset=0)

    # --- What is always so ------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        counters = self.counters()
        assert set(counters.values()) <= {1}
        assert not self.gone(counters)

    @invariant()
    def no_loss_is_told_that_never_was(self) -> None:
        assert self.has_lost or not Partition.objects.exclude(missing=0).exists()

    def gone(self, counters: dict[int, int]) -> set[int]:
        """Return the views that must be counted, are not, and are nowhere any more."""
        waiting = {body(content): pk for pk, content in self.exact.items() if pk not in counters}
        for found in (self.stored, self.logged, self.spilled):
            if not waiting:  # as after most steps
                break
            for one in found():
                waiting.pop(one, None)
        return set(waiting.values())

    def stored(self) -> set[bytes]:
        """Return the events in the store that are not in the counters yet."""
        positions = Projection.objects.filter(name="totals:pages.content").values("number")
        segments = Segment.objects.filter(number__gt=Subquery(positions))
        return {body for segment in segments for body in verified(segment).bodies}

    def logged(self) -> set[bytes]:
        log = get_log()
        return {
            entry.body
            for partition in range(PARTITIONS)
            for entry in log.read(partition, None, 10_000, CAP).entries
        }

    def spilled(self) -> set[bytes]:
        return {bytes(body) for body in Spilled.objects.values_list("body", flat=True)}

    def excuse_what_is_gone(self) -> None:
        """A store's own loss is its own; that it comes to light nowhere else is `exact`'s."""
        for pk in self.gone(self.counters()):
            del self.exact[pk]

    def counters(self) -> dict[int, int]:
        """Return the counters, by content, except for those that are 0."""
        return dict(Content.objects.exclude(counter=0).values_list("pk", "counter"))

    # --- How --------------------------------------------------------------------------------------

    def spill(self, content: Content, event_id: EventId | None) -> None:
        spill(partition_for(name_of(Content, content.pk)), body(content), now(), event_id)
        self.exact[content.pk] = content

    def land(self, content: Content, event_id: EventId) -> None:
        """Let an append reach Redis that was sent some time ago."""
        keys = self.keys_of(content)
        log: Any = get_log()
        producer = Producer(log._appending.producers._connections)
        producer.producer_id, producer._sequences = (
            event_id.producer_id,
            {keys[0]: event_id.sequence},
        )
        producer.append(APPEND, keys, CAP, now(), b"", body(content))
        producer.close()

    def keys_of(self, content: Content) -> list[str]:
        """Return the keys of the stream and of the offset to which a content's views go."""
        partition = partition_for(name_of(Content, content.pk))
        return [f"{self.prefix}:{{{partition}}}:{name}" for name in ("log", "ordinal")]

    def keys(self) -> list[bytes]:
        return list(self.server.scan_iter(f"{self.prefix}:*"))

    def forget_log(self) -> None:
        for key in self.keys():
            self.server.delete(key)


def body(content: Content) -> bytes:
    return events.encode(targets(content, ()))


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def trimming_at_once(server: redis.Redis, settings: Any) -> Iterator[None]:
    """Redis trims node by node: let each entry be one. And keep nothing of what was counted."""
    settings.COUNTERS_LOG_RETENTION_SECONDS = 0
    settings.COUNTERS_LOG_RETENTION_BYTES = 1
    name = "stream-node-max-entries"
    before = server.config_get(name)[name] or 100
    server.config_set(name, 1)
    yield
    server.config_set(name, before)


@pytest.mark.usefixtures("trimming_at_once")
@histories(12, 50)
def test_whatever_happens_in_whatever_order(
    server: redis.Redis, prefix: str, histories: int
) -> None:
    class Ours(History):
        pass

    Ours.server, Ours.prefix = server, prefix
    run_state_machine_as_test(
        Ours,
        settings=settings(
            max_examples=histories,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

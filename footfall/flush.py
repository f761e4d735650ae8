"""The way of the events: from the log to the event store, and from there to the counters.

`ingest()` and `project()` call every step in order; read them first.
"""

import gc
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from operator import attrgetter

from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, transaction

from footfall import identity, sql
from footfall.cache.publish import publish
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.events import DropReason
from footfall.ingest.agents import keep_agents
from footfall.ingest.claims import (
    all_partitions,
    claim,
    drain_spill,
    read,
    trim,
    unknown_partitions,
)
from footfall.ingest.collect import build, decode_events, deduplicate
from footfall.ingest.conflicts import find_conflict, newest_of_log, note_newest
from footfall.ingest.keys import drop_repeated
from footfall.ingest.poison import POISON, Source, Take, in_parts
from footfall.ingest.producer_states import load_producer_states
from footfall.ingest.progress import save_progress, store_dead_letters
from footfall.log import forget_owner, get_log, is_in_memory, key_prefix, owner
from footfall.models import Partition, Segment
from footfall.projections.copies import behind as behind_copies
from footfall.projections.rows import KINDS, open_projections
from footfall.projections.run import ALL, CARRIED, Projected, apply_new_events
from footfall.registry import countable_models
from footfall.sql import Conflict
from footfall.store.append import append
from footfall.store.read import store_head

FLUSH_TIMEOUT = 60.0  # seconds


class IdentityChanged(Conflict):
    """The database has another identity than this process knows, and so another log."""


class Behind(Exception):
    """Not everything was counted in time; the message says what is behind."""


@dataclass
class Ingested:
    """What one ingest did."""

    segments: list[Segment] = field(default_factory=list)
    """Empty if there was nothing to store."""
    dropped: Counter[DropReason] = field(default_factory=Counter)
    finished_partitions: frozenset[int] = frozenset()
    """Partitions that were read to their end."""
    more: bool = False
    """Whether there is more to store."""

    def __add__(self, part: "Ingested") -> "Ingested":
        """Return both together, of which the second is a part."""
        dropped = self.dropped + part.dropped
        return Ingested([*self.segments, *part.segments], dropped, more=True)

    @property
    def events(self) -> int:
        """Events that were stored."""
        return sum(segment.events for segment in self.segments)


def ingest(limit: int | None = None) -> Ingested:
    """Store one batch: at most `limit` events from the log and as many from the spill.

    Several may run at once, and each may be killed anywhere: segments, producer states and
    positions change in one transaction, and an event at or below its producer's state is dropped.
    It writes to no table of another app. Raises DatabaseError or sql.Conflict; then nothing has
    changed. An event that cannot be stored becomes a dead letter.
    """
    limit = limit or conf.COUNTERS_BATCH_EVENTS
    try:
        return _ingest(Take(limit))
    except IdentityChanged:
        forget_owner()
        return _ingest(Take(limit))
    except POISON as error:
        return sum(in_parts(_ingest, limit, all_partitions(), error), Ingested(more=True))


def _ingest(take: Take) -> Ingested:
    started = time.monotonic()
    name, log = owner().name, get_log()
    newest, is_away = newest_of_log(name)
    if is_away and not log.is_cluster:
        if take.source is Source.LOG:
            return Ingested(more=True)
        take = take._replace(source=Source.SPILL)
    unknown = set() if is_away else unknown_partitions(log)
    with transaction.atomic(durable=True), gc_paused():
        sql.mark()
        claims = claim(unknown, take)
        moment = identity.moment()
        if moment.name != name or log.prefix != key_prefix():  # another thread may forget it
            raise IdentityChanged
        has_conflict = find_conflict(newest, moment)
        read(log, claims, take)
        drain_spill(claims, take)
        states = load_producer_states(claims)
        new, unidentified = deduplicate(claims, states, moment)
        decoded = decode_events(new, take.condemned)
        failpoint("after_read")
        countable = drop_repeated(decoded, states, moment)
        failpoint("after_keys")
        events = build(countable)
        keep_agents(events, moment)
        failpoint("after_agents")
        malformed = [*unidentified, *decoded.malformed]
        dead_letters = store_dead_letters(malformed, states, moment)
        save_progress(claims, states, events.by_partition(), dead_letters, moment)
        failpoint("before_store")
        drained = sum(len(claim.spilled) for claim in claims)
        seconds = time.monotonic() - started
        before, segments = append(
            events, moment.now, seconds=seconds, drained=drained, keyed=countable.keyed
        )
        open_projections(events.labels(), before)
        failpoint("before_ingest_commit")
    failpoint("after_ingest_commit")
    if segments:
        note_newest(name, segments[-1].number, segments[-1].key)
    elif has_conflict:
        note_newest(name, before.number, before.key)
    trim(log, claims)
    failpoint("after_trim")
    finished = frozenset(claim.number for claim in claims if claim.reached_end)
    dropped = sum(states.dropped.values(), Counter[DropReason]())
    if dead_letters:
        dropped[DropReason.DEAD_LETTER] = len(dead_letters)
    return Ingested(segments, dropped, finished, more=len(finished) < len(claims))


def project(force: bool = False, kinds: Collection[str] = KINDS) -> Projected:
    """Bring the projections forward, each in a transaction of its own; publish the counters.

    force: also those that are not due yet. One that fails is alone behind.
    """
    projected = apply_new_events(force, kinds=kinds)
    if "totals" in kinds:  # it sends what is due of the invalidations, too
        publish(projected.applied)
    if projected.moved:
        failpoint("after_publish")
    return projected


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause garbage collection: it took half the time of reading a batch, and entries form no
    cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def flush(limit: int | None = None) -> Ingested:
    """Ingest one batch, then bring every projection to the end of the store."""
    ingested = ingest(limit)
    while project(force=True).more:
        pass
    return ingested


def flush_all(timeout: float = FLUSH_TIMEOUT) -> int:
    """Count everything that is in the log and in the spill now; return the number of events.

    Returns once it is in every counter and rollup, by this process or another. Raises LogError
    while the log is away, and Behind after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    events = _ingest_all(end)
    head = store_head().number
    while True:
        if project(force=True).more:
            continue
        if not (names := _behind(head)):
            return events
        if time.monotonic() > end:
            raise Behind(f"still behind after {timeout:g} s: {', '.join(names)}")
        time.sleep(0.05)


@contextmanager
def projecting() -> Iterator[None]:
    """Bring the projections forward meanwhile, and to the end: each kind in a thread of its own."""
    is_last = threading.Event()

    def run(kind: str) -> None:
        try:
            while not is_last.is_set():
                project(force=True, kinds=[kind])
                is_last.wait(0.02)
            while project(force=True, kinds=[kind]).more:
                pass
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(KINDS)) as threads:
        running = [threads.submit(run, kind) for kind in KINDS]
        try:
            yield
        finally:
            is_last.set()
        for one in running:
            one.result()


def _ingest_all(end: float) -> int:
    """Store what is in the log and the spill; wait for partitions that others have claimed.

    Mostly one batch has it all: only while there is more, views are counted meanwhile.
    """
    ingested = ingest()
    events = ingested.events
    waiting = {*Partition.objects.values_list("number", flat=True)} - ingested.finished_partitions
    # What this transaction stores, other connections do not see: it is projected afterwards.
    is_alone = connection.in_atomic_block or is_in_memory()
    with nullcontext() if is_alone or not waiting else projecting():
        while waiting:
            if not ingested.segments:
                get_log().length(min(waiting))  # raises if the log is away
                if time.monotonic() > end:
                    raise Behind(f"partitions that another process holds: {sorted(waiting)}")
                time.sleep(0.05)
            ingested = ingest()
            events += ingested.events
            waiting -= ingested.finished_partitions
    return events


def _behind(head: int) -> list[str]:
    """Return the projections that are before `head`, and the models with carried over views."""
    behind = sorted((one for one in ALL.all() if one.number < head), key=attrgetter("name"))
    names = [one.name for one in behind if one.label in countable_models()]
    carried = (str(ContentType.objects.get_for_id(kind)) for (kind,) in CARRIED.all())
    return [
        *names,
        *(f"carried over views of {model}" for model in carried),
        *(one.name for one in behind_copies()),
    ]

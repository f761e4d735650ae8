"""The invariants of event store, producer states and spill, for the audit."""

import random
from collections.abc import Iterator
from datetime import date
from itertools import chain, islice
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from footfall.events import DropReason
from footfall.models import (
    Partition,
    ProducerState,
    Segment,
    Spilled,
    StoreHead,
    VisitorSketch,
)
from footfall.projections.visitors.daily import ALL, decoded
from footfall.projections.visitors.sketches import Damaged
from footfall.registry import content_type_of, countable_models
from footfall.store.read import check_some
from footfall.store.segment import NO_SEQUENCE

MAX_LINES = 20
"""Most lines that one check yields."""
CHECKED_SKETCHES = 20_000
"""How many sketches of visitors one audit reads, about: a few seconds."""
CHECKED_BYTES = 256 * 1024**2
"""How much of the event store one audit reads: a few seconds."""


def unaccounted_events() -> Iterator[str]:
    """Yield a line if partitions and event store do not have the same number of events.

    A new event of a partition is either stored or becomes a dead letter.
    """
    dead_letters = Cast(KT(f"dropped__{DropReason.DEAD_LETTER}"), BigIntegerField())
    # One statement, so one moment: an ingest writes both in its transaction.
    partitions = Partition.objects.annotate(all=Value(1))
    taken = F("events") - F("events_before_store") - Coalesce(dead_letters, 0)
    every = F("events") + F("discarded")
    stored = Subquery(StoreHead.objects.annotate(every=every).values("every")[:1])
    sums = partitions.annotate(taken=sum_of(partitions, "all", taken), stored=Coalesce(stored, 0))
    for row in sums.order_by("number")[:1]:
        if row.taken != row.stored:
            yield f"event store: {row.stored} events, partitions: {row.taken}"


def broken_store() -> Iterator[str]:
    """Yield a line for each segment that no ingest and no compaction can have written."""
    yield from islice(chain(_broken_head(), _broken_segments()), MAX_LINES)


def _broken_head() -> Iterator[str]:
    segments = Segment.objects.annotate(all=Value(1))
    last = segments.order_by("-number")
    # One statement, so one moment.
    heads = StoreHead.objects.annotate(
        last=Coalesce(Subquery(last.values("number")[:1]), F("removed_number")),
        last_key=Coalesce(Subquery(last.values("key")[:1]), F("removed_key")),
        stored=sum_of(segments, "all", "events"),
    )
    for head in heads:
        if head.number != head.last:
            yield f"event store: its end is segment {head.number}, the last one is {head.last}"
        elif head.key != head.last_key:
            yield f"event store: its end has another key than segment {head.last}"
        events = head.events - head.removed_events
        if events != head.stored:
            yield f"event store: {events} events, the segments have {head.stored}"
    if not heads and segments.exists() and not StoreHead.objects.exists():
        yield "event store: it has segments and no end"


def _broken_segments() -> Iterator[str]:
    removed = StoreHead.objects.order_by("pk").values("removed_number")[:1]
    # One statement, so one moment.
    rows = Segment.objects.annotate(removed=Coalesce(Subquery(removed), 0)).order_by("number")
    previous = None
    for first, number, events, partitions, before in rows.values_list(
        "first", "number", "events", "partitions", "removed"
    ):
        previous = before if previous is None else previous
        if not previous + 1 == first <= number:
            yield f"segment {number}: begins at {first}, the one before ends at {previous}"
        if sum(partitions.values()) != events:
            yield f"segment {number}: {events} events, {sum(partitions.values())} in its partitions"
        previous = number


def corrupt_segments() -> Iterator[str]:
    """Yield a line for each segment that is known to be corrupt, after some were checked."""
    check_some(CHECKED_BYTES)
    corrupt = Segment.objects.defer("data").exclude(corrupt_at=None)
    for segment in corrupt.order_by("number")[:MAX_LINES]:
        yield f"segment {segment}: corrupt, {segment.events} events cannot be read"


class WrongSketch(NamedTuple):
    """Visitors of one target on one day that cannot be read, or are not as many as it says."""

    label: str
    day: date
    target: int
    what: str

    def __str__(self) -> str:
        target = "all targets" if self.target == ALL else self.target
        return f"visitors of {self.label} {target}, {self.day}: {self.what}"


def wrong_sketches() -> Iterator[WrongSketch]:
    """Yield the sketches that are wrong, of about CHECKED_SKETCHES: those of some days, at random.

    Each is found in time.
    """
    labels = {content_type_of(model).pk: label for label, model in countable_models().items()}
    rows = VisitorSketch.objects.filter(content_type__in=labels, beside=False).exclude(sketch=b"")
    days = list(rows.order_by().values_list("content_type", "day").distinct())
    random.shuffle(days)
    checked = 0
    for kind, day in days:
        for row in rows.filter(content_type=kind, day=day).order_by("target_id").iterator(1_000):
            checked += 1
            if what := _wrong(row):
                yield WrongSketch(labels[kind], day, row.target_id, what)
        if checked >= CHECKED_SKETCHES:
            break


def _wrong(row: VisitorSketch) -> str:
    try:
        sketch = decoded(row.sketch)
    except Damaged as error:
        return f"damaged, {error}"
    found = sketch.count() if sketch else row.visitors
    return "" if found == row.visitors else f"{row.visitors}, but {found} in the sketch"


def sum_of(rows: QuerySet[Any], key: str, expression: Any) -> Coalesce:
    """Return a subquery of the sum over `rows`, which all have the same `key`; 0 if none."""
    sums = rows.order_by().values(key).annotate(n=Sum(expression)).values("n")
    return Coalesce(Subquery(sums), Value(0), output_field=BigIntegerField())


def broken_producer_states() -> Iterator[str]:
    """Yield a line for each producer state that no flush can have written."""
    known = Partition.objects.filter(number=OuterRef("partition")).values("number")
    wrong = ProducerState.objects.annotate(known=Subquery(known)).filter(
        Q(known=None) | Q(sequence__lt=NO_SEQUENCE) | Q(spilled__lt=0)
    )
    for state in wrong.order_by("producer_id", "partition")[:MAX_LINES]:
        yield f"producer state {state}: invalid"


def broken_spill() -> Iterator[str]:
    """Yield a line for each spilled event with half an id: it may have been counted, or not."""
    halves = Spilled.objects.filter(Q(producer_id=None) ^ Q(sequence=None))
    for event in halves.order_by("pk")[:MAX_LINES]:
        yield f"spilled event {event.pk}: it has a producer id or a sequence only"

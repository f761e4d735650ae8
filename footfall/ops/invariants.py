"""What must be true of the books beside the counters: batches, marks and spill."""

from collections.abc import Iterator
from typing import Any

from django.db.models import BigIntegerField, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from footfall.ingest.drop_reasons import DropReason
from footfall.ingest.producer_states import NO_SEQUENCE
from footfall.models import Batch, Partition, ProducerState, Spilled

SHOWN = 20
"""So many of each kind are named."""


def broken_batches() -> Iterator[str]:
    """Yield a line if the batches have not taken what the partitions have given.

    What a batch took was counted or set aside; nothing else becomes of an event that is new.
    """
    aside = Cast(KT(f"dropped__{DropReason.DEAD_LETTER}"), BigIntegerField())
    # One statement, so one moment: a flush writes both in its transaction.
    taken = _sum(Batch, F("events") + Coalesce(aside, 0))
    given = _sum(Partition, F("events") - F("pruned"))
    first = Partition.objects.order_by("number").annotate(taken=taken, given=given)[:1]
    for books in first:
        if books.given != books.taken:
            yield f"batches: {books.taken} events taken, {books.given} given by the partitions"


def _sum(model: type[Any], expression: Any) -> Coalesce:
    rows = model.objects.order_by().annotate(all=Value(1)).values("all")
    sums = rows.annotate(n=Sum(expression)).values("n")
    return Coalesce(Subquery(sums), Value(0), output_field=BigIntegerField())


def broken_producer_states() -> Iterator[str]:
    """Yield marks that no flush can have written."""
    known = Partition.objects.filter(number=OuterRef("partition")).values("number")
    wrong = ProducerState.objects.annotate(known=Subquery(known)).filter(
        Q(known=None) | Q(sequence__lt=NO_SEQUENCE) | Q(spilled__lt=0)
    )
    for producer_state in wrong.order_by("producer_id", "partition")[:SHOWN]:
        yield f"mark {producer_state}: no flush can have written it"


def broken_spill() -> Iterator[str]:
    """Yield spilled events with half a number: whether they were counted cannot be told."""
    no_producer = Q(producer_id=None, sequence__isnull=False)
    halves = no_producer | Q(producer_id__isnull=False, sequence=None)
    for event in Spilled.objects.filter(halves).order_by("pk")[:SHOWN]:
        yield f"spilled event {event.pk}: it has half a number"

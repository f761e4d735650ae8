"""The invariants of event store, producer states and spill, for the audit."""

from collections.abc import Iterator
from typing import Any

from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from footfall.ingest.producer_states import NO_SEQUENCE
from footfall.models import Partition, ProducerState, Spilled

MAX_LINES = 20
"""Most lines that one check yields."""


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

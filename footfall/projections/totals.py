"""The counters: one UPDATE per model adds the sums of a batch."""

from footfall import sql
from footfall.ingest.aggregate import Sums
from footfall.registry import countable_models

Counters = dict[str, dict[int, int]]
"""By label, then by id: the counter after this batch, for every target that exists."""


def apply(sums: Sums) -> tuple[Counters, int]:
    """Add to the counters: one UPDATE per model, models in the order of their labels.

    Returns the new counters, and how many views were of deleted targets.
    """
    counters: Counters = {}
    deleted = 0
    for label, totals in sorted(sums.totals.items()):
        counters[label] = sql.add_counts(countable_models()[label], totals)
        deleted += sum(n for target, n in totals.items() if target not in counters[label])
    return counters, deleted

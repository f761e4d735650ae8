"""The sums of a batch are added to the counters and to the views by the hour."""

from collections import Counter

from footfall import sql
from footfall.ingest.aggregate import Sums
from footfall.registry import countable_models

Counters = dict[str, dict[int, int]]
"""The counters after this batch, by label, then by id, of every target that exists."""


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


def roll_up(sums: Sums, counters: Counters) -> None:
    """Add to the rollups of every target that exists, and to the hourly totals."""
    for label, existing in counters.items():
        hourly = {key: n for key, n in sums.hourly[label].items() if key[0] in existing}
        totals: Counter[int] = Counter()
        for (_target, hour), n in hourly.items():
            totals[hour] += n
        sql.add_rollups(countable_models()[label], hourly)
        sql.add_hour_totals(countable_models()[label], totals)

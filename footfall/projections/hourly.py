"""Views by the hour: of each target, and of all targets of a model."""

from collections import Counter

from footfall import sql
from footfall.ingest.aggregate import Sums
from footfall.projections.totals import Counters
from footfall.registry import countable_models


def roll_up(sums: Sums, counters: Counters) -> None:
    """Add to the rollups of every target that exists, and to the hourly totals."""
    for label, existing in counters.items():
        hourly = {key: n for key, n in sums.hourly[label].items() if key[0] in existing}
        totals: Counter[int] = Counter()
        for (_target, hour), n in hourly.items():
            totals[hour] += n
        sql.add_rollups(countable_models()[label], hourly)
        sql.add_totals(countable_models()[label], totals)

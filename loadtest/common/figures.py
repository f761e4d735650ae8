"""Percentiles, medians and ratios."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of all are not above (nearest rank).

    NaN of nothing.
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(0, rank - 1)]


@dataclass(frozen=True)
class Median:
    """A median and the spread around it."""

    value: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Median":
        """NaN of nothing."""
        if not values:
            return cls(math.nan, math.nan, math.nan, 0)
        return cls(statistics.median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        if self.count < 2:
            return f"{short(self.value)} (once)" if self.count else "-"
        return f"{short(self.value)} ({short(self.least)} to {short(self.most)})"


def ratio(over: dict[int, float], under: dict[int, float]) -> Median:
    """Return the ratio of two approaches: of each repetition first, then the median.

    Both map the repetition to its figure. What happens to the machine in a repetition happens to
    both. An approach that ran once is compared with the median of the other.
    """
    common = sorted(over.keys() & under.keys())
    if len(under) == 1 and len(over) > 1:
        only = next(iter(under.values()))
        return Median.of([figure / only for figure in over.values() if only])
    return Median.of([over[i] / under[i] for i in common if under[i]])


def short(value: float) -> str:
    """Return a figure with about three digits."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

"""Intervals in which a part was away, and what happened in them and after them."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

Interval = tuple[float, float]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same time as intervals that do not overlap, in order."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def both(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """Return the time that lies in one of `some` and in one of `others`."""
    others = union(others)
    found = [
        (max(start, begin), min(end, stop)) for start, end in union(some) for begin, stop in others
    ]
    return [(start, end) for start, end in found if start < end]


def longest_pause(
    answers: Sequence[float], span: Interval, excused: Iterable[Interval]
) -> Interval:
    """Return the longest time without an answer in `span`, of which nothing was excused."""
    excused = union(excused)
    longest = (span[0], span[0])
    for start, end in pairwise([span[0], *answers, span[1]]):
        free_from = start
        for begin, stop in [*both([(start, end)], excused), (end, end)]:
            longest = max(longest, (free_from, begin), key=lambda one: one[1] - one[0])
            free_from = stop
    return longest


def overlapping(intervals: Iterable[Interval]) -> int:
    """Return how many begin before an earlier one has ended."""
    number, busy_until = 0, float("-inf")
    for start, end in sorted(intervals):
        number += start < busy_until
        busy_until = max(busy_until, end)
    return number


def next_after(moments: Sequence[float], moment: float) -> float | None:
    """Return the seconds from `moment` to the next of `moments`, which are in order."""
    index = bisect_right(moments, moment)
    return moments[index] - moment if index < len(moments) else None


def length(intervals: Iterable[Interval]) -> float:
    return sum(end - start for start, end in union(intervals))

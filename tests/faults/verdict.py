"""What the numbers of a run say: lost, doubled, pauses, recoveries. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

Interval = tuple[float, float]


class Gain(NamedTuple):
    """What one counter should have gained, and what it has."""

    answered: int
    counted: int
    attempted: int
    gone: int = 0
    """What a dead master had and its replica had not: known to be lost."""

    @property
    def missing(self) -> int:
        return max(0, self.answered - self.counted)

    @property
    def lost(self) -> int:
        """What nothing accounts for."""
        return max(0, self.missing - self.gone)

    @property
    def doubled(self) -> int:
        return max(0, self.counted - self.attempted)


@dataclass(frozen=True)
class Verdict:
    """The sum over all counters, in views of targets."""

    gains: Mapping[str, Gain]

    @property
    def lost(self) -> int:
        return sum(gain.lost for gain in self.gains.values())

    @property
    def doubled(self) -> int:
        return sum(gain.doubled for gain in self.gains.values())

    @property
    def missing(self) -> int:
        return sum(gain.missing for gain in self.gains.values())

    def total(self) -> Gain:
        """Return the sums of the columns."""
        columns = zip(*self.gains.values(), strict=True)
        return Gain(*map(sum, columns)) if self.gains else Gain(0, 0, 0)

    def wrong(self) -> dict[str, Gain]:
        return {name: one for name, one in self.gains.items() if one.lost or one.doubled}


def judge(
    answered: Mapping[int, int],
    attempted: Mapping[int, int],
    targets: Mapping[int, Iterable[str]],
    counted: Mapping[str, int],
    gone: Mapping[str, int] | None = None,
) -> Verdict:
    """Hold the counters against the books.

    answered, attempted: reads by page. targets: what a read of each page is a view of.
    counted: what each target's counter has gained. gone: what it has not, for a reason.
    """
    should: Counter[str] = Counter()
    might: Counter[str] = Counter()
    for page, names in targets.items():
        for name in set(names):  # what stands twice on a page gains one
            should[name] += answered.get(page, 0)
            might[name] += attempted.get(page, 0)
    gone = gone or {}
    return Verdict(
        {
            name: Gain(should[name], counted.get(name, 0), might[name], gone.get(name, 0))
            for name in counted.keys() | might.keys()
        }
    )


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

"""Holds the counters against what was sent and answered."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from loadtest.common.client import Ledger

STANDSTILL = 15.0  # seconds without a change, after which what is missing will not come
LOOK = 0.25  # seconds between two looks: each is a sum over all contents, and costs as much
Target = TypeVar("Target", bound=Hashable)


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
        """Answered with 200, not counted, and nothing accounts for it."""
        return max(0, self.missing - self.gone)

    @property
    def doubled(self) -> int:
        """Counted beyond what was sent at all."""
        return max(0, self.counted - self.attempted)


@dataclass(frozen=True)
class Verdict(Generic[Target]):
    """The sum over all counters, in views of targets. A read of a page is a view of each on it."""

    gains: Mapping[Target, Gain]

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

    def wrong(self) -> dict[Target, Gain]:
        return {name: one for name, one in self.gains.items() if one.lost or one.doubled}

    def __bool__(self) -> bool:
        """Whether every counter is right."""
        return not self.wrong()

    def __str__(self) -> str:
        return f"lost {self.lost}, doubled {self.doubled}"


def check(
    gained: Mapping[Target, int],
    ledger: Ledger,
    targets: Mapping[int, Collection[Target]],
    gone: Mapping[Target, int] | None = None,
) -> Verdict[Target]:
    """Tell whether answered <= counted <= attempted for every target.

    gained: what each counter rose by. targets: what a read of each page is a view of; what stands
    twice on it gains one. gone: what a counter has not gained, for a reason.
    Where no connection broke and nothing failed, that is equality.
    """
    should: Counter[Target] = Counter()
    might: Counter[Target] = Counter()
    for page, attempted in ledger.attempted.items():
        for target in set(targets[page]):
            might[target] += attempted
            should[target] += ledger.answered[page]
    gone = gone or {}
    return Verdict(
        {
            target: Gain(should[target], gained.get(target, 0), n, gone.get(target, 0))
            for target in gained.keys() | might.keys()
            if (n := might[target]) or gained.get(target)
        }
    )


def expected_sum(ledger: Ledger, targets: Mapping[int, Collection[Target]]) -> int:
    """Return the views of targets that were answered, in all."""
    return sum(n * len(set(targets[page])) for page, n in ledger.answered.items())


def wait_for(total: Callable[[], int], expected: int, limit: float) -> int:
    """Return `total()` once it is `expected`, or has stood still, or `limit` seconds are over."""
    started = changed = time.monotonic()
    last = total()
    while last < expected:
        now = time.monotonic()
        if now - changed > STANDSTILL or now - started > limit:
            break
        time.sleep(LOOK)
        if (current := total()) != last:
            last, changed = current, time.monotonic()
    return last

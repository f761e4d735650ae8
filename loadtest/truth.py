"""Holds the counters against what was sent and answered."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from loadtest.client import Ledger

LOOK = 0.25  # seconds between two looks: each is a sum over all contents, and costs as much
STANDSTILL = 15.0  # seconds without a change, after which what is missing will not come


@dataclass(frozen=True)
class Verdict:
    """Views of contents that are missing, or too many. A read of a page is a view of each."""

    lost: int
    """Answered with 200 and not counted."""
    doubled: int
    """Counted beyond what was sent at all."""
    differing: tuple[int, ...] = ()
    """Some of the contents where that is so."""

    def __bool__(self) -> bool:
        """Whether every counter is right."""
        return not (self.lost or self.doubled)


def check(
    gained: Mapping[int, int], ledger: Ledger, contents: Mapping[int, Collection[int]]
) -> Verdict:
    """Tell whether answered <= counted <= attempted for every content.

    gained: what each content's counter rose by. contents: what stands on each page.
    Where no connection broke and nothing failed, that is equality.
    """
    attempted, answered = dict.fromkeys(gained, 0), dict.fromkeys(gained, 0)
    for page, n in ledger.attempted.items():
        for content in set(contents[page]):
            attempted[content] = attempted.get(content, 0) + n
            answered[content] = answered.get(content, 0) + ledger.answered[page]
    lost = {one: answered[one] - gained.get(one, 0) for one in answered}
    doubled = {one: gained.get(one, 0) - attempted[one] for one in attempted}
    wrong = [one for one in answered if lost[one] > 0 or doubled[one] > 0]
    return Verdict(
        sum(n for n in lost.values() if n > 0),
        sum(n for n in doubled.values() if n > 0),
        tuple(wrong[:20]),
    )


def expected_sum(ledger: Ledger, contents: Mapping[int, Collection[int]]) -> int:
    """Return the views of contents that were answered, in all."""
    return sum(n * len(set(contents[page])) for page, n in ledger.answered.items())


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

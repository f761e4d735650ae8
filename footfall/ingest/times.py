"""When an event happened: its web server says so, as long as Redis' clock does not contradict.

No event is refused because of its time. If a time is implausible, another clock's takes its place.
"""

from collections.abc import Sequence

from footfall.eventlog.entries import MAX_DELAY_MS
from footfall.events import EARLIEST, LATEST

AHEAD_MS = 5 * 60_000
"""How far one clock may be ahead of another."""
BLOCK = 512
"""Events that are looked at together."""


def plausible(at: int, logged_at: int, now: int) -> int:
    """Return when an event happened; all times in ms since 1970.

    at: by its web server. logged_at: when it came to the log, by Redis; or to the spill, by the
    database. now: by the database.
    """
    if not logged_at - MAX_DELAY_MS <= at <= logged_at + AHEAD_MS:
        at = logged_at if logged_at <= now + AHEAD_MS else now
    return min(max(at, EARLIEST), LATEST - 1)


def plausible_times(ats: Sequence[int], ids: Sequence[bytes], now: int) -> Sequence[int]:
    """Return `plausible` of each entry; ids: Redis' own, which grow.

    Mostly the times of a block are plausible for both its first and its last entry, and no other
    id is looked at.
    """
    found: list[int] | None = None
    for start in range(0, len(ats), BLOCK):
        block = ats[start : start + BLOCK]
        ends = logged_at(ids[start]), logged_at(ids[start + len(block) - 1])
        earliest, latest = min(block), max(block)
        if (
            max(ends) - MAX_DELAY_MS <= earliest
            and latest <= min(ends) + AHEAD_MS
            and EARLIEST <= earliest <= latest < LATEST
        ):
            continue
        found = found or list(ats)
        some = zip(block, ids[start : start + BLOCK], strict=True)
        found[start : start + BLOCK] = [plausible(at, logged_at(one), now) for at, one in some]
    return found or ats


def logged_at(entry_id: bytes) -> int:
    """Return when an entry was appended, by Redis' clock: milliseconds since 1970."""
    return int(entry_id.partition(b"-")[0])

"""How many events a log has lost, as far as the offsets of its entries show it."""

from collections.abc import Sequence

from footfall.eventlog.entries import Entry


def missing(before: int, entries: Sequence[Entry]) -> int:
    """Return how many events are missing between the last one applied and the last one read.

    before: offset of the last event applied; 0 if unknown. The result is a minimum: a Redis that
    was restored from a backup counts on from there, so what it lost at its end does not show.
    """
    offsets = [entry.offset for entry in entries if entry.offset]
    if not offsets:
        return 0
    first, last = offsets[0], offsets[-1]
    start = before if 0 < before < first else first - 1
    return max(0, last - start - len(offsets))

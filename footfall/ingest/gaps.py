"""What a store has lost, as far as it shows: the log numbers the events of each partition."""

from collections.abc import Sequence

from footfall.eventlog import Entry


def missing(before: int, entries: Sequence[Entry]) -> int:
    """Return how many events are not there between those applied before and the last that was read.

    before: ordinal of the last event applied; 0 if that is not known. A Redis that came back with
    an older past numbers on from there: what it lost at its end does not show. So it is "at least".
    """
    offsets = [entry.offset for entry in entries if entry.offset]
    if not offsets:
        return 0
    first, last = offsets[0], offsets[-1]
    start = before if 0 < before < first else first - 1
    return max(0, last - start - len(offsets))

"""Pure: from events to sums. Knows neither Redis nor the database."""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from counters.events import Malformed, check_time, decode

HOUR = 3_600_000  # milliseconds


class View(NamedTuple):
    """An event on its way through the flush."""

    partition: int
    at: int
    """Milliseconds since 1970."""
    body: bytes
    entry_id: str = ""
    """Set for an entry that has no number, to know it again by."""


@dataclass
class Sums:
    """What a batch of events comes to."""

    hourly: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)
    """By label, then by (id, hour since 1970): views."""
    malformed: list[tuple[View, str]] = field(default_factory=list)
    """Events that cannot be counted, with the reason."""
    totals: dict[str, dict[int, int]] = field(default_factory=dict)
    """By label, then by id: views."""
    events: int = 0


def aggregate(views: Iterable[View], countable: Container[str]) -> Sums:
    """Sum up the views by target and hour; `countable` holds the labels that may be named.

    Views of the same targets have the same body: each distinct one is decoded once.
    """
    sums = Sums()
    views = list(views)
    alike = Counter((view.body, view.at // HOUR) for view in views if not view.entry_id)
    reasons: dict[tuple[bytes, int], str] = {}
    for (body, hour), count in alike.items():
        try:
            check_time(hour * HOUR)
            targets = decode(body, countable)
        except Malformed as reason:
            reasons[body, hour] = str(reason)
            continue
        sums.events += count
        for label, ids in targets.items():
            hourly = sums.hourly.setdefault(label, {})
            for target in ids:
                hourly[target, hour] = hourly.get((target, hour), 0) + count
    for label, hourly in sums.hourly.items():
        totals = sums.totals[label] = {}
        for (target, _hour), count in hourly.items():
            totals[target] = totals.get(target, 0) + count
    for view in views:
        if view.entry_id:
            sums.malformed.append((view, "not an entry that this service has made"))
        elif reason := reasons.get((view.body, view.at // HOUR)):
            sums.malformed.append((view, reason))
    return sums

"""From events to sums. Pure: uses neither Redis nor the database."""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from footfall.events import DeadLetterReason, Malformed, check_time, decode

HOUR = 3_600_000  # milliseconds


class PendingEvent(NamedTuple):
    """An event that a flush has read and not yet counted."""

    partition: int
    at: int
    """Milliseconds since 1970."""
    body: bytes
    entry_id: str = ""
    """Set only for an entry that becomes a dead letter and that producer states cannot deduplicate;
    the unique `DeadLetter.entry_id` does."""
    reason: str = DeadLetterReason.FOREIGN
    """Why an event with an `entry_id` cannot be counted."""


@dataclass
class Sums:
    """The sums of a batch of events."""

    hourly: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)
    """By label, then by (id, hour since 1970): views."""
    events: int = 0
    malformed: list[tuple[PendingEvent, str]] = field(default_factory=list)
    """Events that cannot be counted, with the reason."""
    partitions: dict[str, int] = field(default_factory=dict)
    """By target name ("pages.content:7"): a bit for each partition from which it was viewed."""

    def add(
        self, targets: Mapping[str, Iterable[int]], hour: int, count: int, partition: int = 0
    ) -> None:
        """Add `count` views of all `targets`, ids by label, in one hour."""
        self.events += count
        bit = 1 << partition
        for label, ids in targets.items():
            hourly = self.hourly.setdefault(label, {})
            for target in ids:
                hourly[target, hour] = hourly.get((target, hour), 0) + count
                name = f"{label}:{target}"
                self.partitions[name] = self.partitions.get(name, 0) | bit

    @cached_property
    def totals(self) -> dict[str, dict[int, int]]:
        """By label, then by id: views. Read it after the last `add`."""
        totals: dict[str, dict[int, int]] = {label: {} for label in self.hourly}
        for label, hourly in self.hourly.items():
            total = totals[label]
            for (target, _hour), count in hourly.items():
                total[target] = total.get(target, 0) + count
        return totals


def aggregate(events: Collection[PendingEvent], countable: Container[str]) -> Sums:
    """Sum up the events by target and hour; `countable` holds the labels of countable models.

    Events with the same targets have the same body: each distinct body is decoded once.
    """
    sums = Sums()
    reasons: dict[tuple[bytes, int], str] = {}
    alike = Counter(
        (body, at // HOUR, partition) for partition, at, body, entry_id, _ in events if not entry_id
    )
    for (body, hour, partition), count in alike.items():
        try:
            check_time(hour * HOUR)
            sums.add(decode(body), hour, count, partition)
        except Malformed as malformed:
            reasons[body, hour] = str(malformed)
    if reasons or sum(alike.values()) < len(events):  # most batches have no malformed events
        for event in events:
            reason = event.reason if event.entry_id else reasons.get((event.body, event.at // HOUR))
            if reason:
                sums.malformed.append((event, reason))
    return sums

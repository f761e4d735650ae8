"""How the counting stands, read from the log and the database themselves."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from counters.log import get_log
from counters.models import Batch, Partition, SetAside, Spilled
from eventlog import LogError

RATE_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True)
class PartitionStatus:
    """One partition. `undelivered` and `oldest_seconds` are None while the log is away."""

    partition: Partition
    undelivered: int | None
    oldest_seconds: float | None
    rate: float
    """Events per second over the last minute."""


@dataclass(frozen=True)
class Status:
    """All of them, and what goes past the log."""

    partitions: list[PartitionStatus]
    spilled: int
    set_aside: int
    log_error: str

    @property
    def pending(self) -> int | None:
        """Events in the log and the spill that are not counted yet; None while the log is away."""
        undelivered = [status.undelivered for status in self.partitions]
        if any(count is None for count in undelivered):
            return None
        return sum(count or 0 for count in undelivered) + self.spilled


def status() -> Status:
    """Read the state of every partition. Raises DatabaseError while the database is away."""
    rates = _rates()
    error = ""
    partitions = []
    for partition in Partition.objects.order_by("number"):
        undelivered = oldest = None
        if not error:
            try:
                undelivered, oldest = _waiting(partition)
            except LogError as reason:
                error = str(reason)
        rate = rates.get(str(partition.number), 0.0)
        partitions.append(PartitionStatus(partition, undelivered, oldest, rate))
    return Status(partitions, Spilled.objects.count(), SetAside.objects.count(), error)


def _waiting(partition: Partition) -> tuple[int, float | None]:
    log = get_log()
    position = partition.read_up_to
    undelivered = log.pending(partition.number, position)
    at = log.oldest(partition.number, position) if undelivered else None
    return undelivered, None if at is None else max(0.0, time.time() - at / 1000)


def _rates() -> dict[str, float]:
    """Return the events per second of each partition, by its number as JSON has it."""
    recent = Batch.objects.filter(at__gt=timezone.now() - RATE_WINDOW)
    rates: dict[str, float] = {}
    for events in recent.values_list("partitions", flat=True):
        for number, count in events.items():
            rates[number] = rates.get(number, 0.0) + count / RATE_WINDOW.total_seconds()
    return rates

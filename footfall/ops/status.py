"""How far the counting is: what waits in the log and in the spill, and what cannot be counted."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Count, Min
from django.utils import timezone

from footfall.conf import conf
from footfall.eventlog import Away, LogError
from footfall.log import get_log
from footfall.models import Batch, DeadLetter, Partition, Spilled

T = TypeVar("T")

RATE_WINDOW = timedelta(minutes=1)
LOG_TIMEOUT = 1.0  # seconds that the log may take to answer

# A Redis that hangs ends a read with an error only after several seconds.
_executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="log-status")


@dataclass(frozen=True)
class PartitionStatus:
    """One partition. `undelivered` and `oldest_seconds` are None while its server is away."""

    partition: Partition
    undelivered: int | None
    oldest_seconds: float | None
    rate: float
    """Events per second over the last minute."""
    dead_letters: int


@dataclass(frozen=True)
class Status:
    """All partitions, and the events that are not in the log."""

    at: datetime
    """The moment before anything was read."""
    partitions: list[PartitionStatus]
    spilled: int
    spilled_oldest_seconds: float | None
    dead_letters: int
    log_error: str

    @property
    def pending(self) -> int | None:
        """Events in the log and the spill that are not counted yet; None while the log is away."""
        undelivered = [status.undelivered for status in self.partitions]
        if any(count is None for count in undelivered):
            return None
        return sum(count or 0 for count in undelivered) + self.spilled

    @property
    def oldest_seconds(self) -> float | None:
        """The age of the oldest event that is not counted yet, as far as it is known."""
        ages = [one.oldest_seconds for one in self.partitions] + [self.spilled_oldest_seconds]
        return max((age for age in ages if age is not None), default=None)

    @property
    def rate(self) -> float:
        return sum(one.rate for one in self.partitions)

    @property
    def flushed_at(self) -> datetime | None:
        """When a flush last applied events."""
        return _latest(one.partition.flushed_at for one in self.partitions)

    @property
    def missing(self) -> int:
        """Events that a store has lost, at least."""
        return sum(one.partition.missing for one in self.partitions)

    @property
    def missed_at(self) -> datetime | None:
        """When a loss was last found."""
        return _latest(one.partition.missed_at for one in self.partitions)

    @property
    def as_of(self) -> datetime | None:
        """Counters read from now on include views up to then; None while the log is away."""
        if self.pending is None:
            return None
        return self.at - timedelta(seconds=self.oldest_seconds or 0)


def status() -> Status:
    """Read the state of every partition. Raises DatabaseError while the database is away."""
    at = timezone.now()
    known = {partition.number: partition for partition in Partition.objects.all()}
    numbers = sorted({*known, *range(conf.COUNTERS_PARTITIONS)})  # also if no flush has seen it yet
    partitions = [known.get(number) or Partition(number=number) for number in numbers]
    rates = _rates()
    spilled = Spilled.objects.aggregate(count=Count("*"), oldest=Min("at"))
    by_partition = DeadLetter.objects.order_by().values_list("partition")
    dead_letters = dict(by_partition.annotate(count=Count("*")))
    try:
        waiting, error = ask_log(lambda: _waiting(partitions))
    except LogError as reason:
        waiting, error = [(None, None)] * len(partitions), str(reason)
    found = [
        PartitionStatus(
            partition,
            *waits,
            rate=rates.get(str(partition.number), 0.0),
            dead_letters=dead_letters.get(partition.number, 0),
        )
        for partition, waits in zip(partitions, waiting, strict=True)
    ]
    total = sum(dead_letters.values())
    return Status(at, found, spilled["count"], _age(spilled["oldest"]), total, error)


def ask_log(question: Callable[[], T]) -> T:
    """Return the result of `question`. Raises LogError, also after `LOG_TIMEOUT` seconds."""
    asked = _executor.submit(question)
    try:
        return asked.result(LOG_TIMEOUT)
    except TimeoutError:
        asked.cancel()
        raise Away(f"no answer within {LOG_TIMEOUT:g} s") from None


Waiting = tuple[int | None, float | None]
"""How many events, and the age of the oldest in seconds; None if unknown."""


def _waiting(partitions: Sequence[Partition]) -> tuple[list[Waiting], str]:
    """Return what waits in each partition, and why that is unknown of some. Raises Away."""
    log = get_log()
    found: list[Waiting] = []
    error = ""
    for partition in partitions:
        position = partition.log_position
        try:
            undelivered = log.pending(partition.number, position)
            oldest = log.oldest(partition.number, position) if undelivered else None
            found.append((undelivered, _age(oldest)))
        except Away:
            raise
        except LogError as reason:  # in a cluster the others may be on servers that answer
            error = str(reason)
            found.append((None, None))
    return found, error


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in times if at), default=None)


def _age(at: int | None) -> float | None:
    """Return how many seconds ago `at` was, in ms since 1970."""
    return None if at is None else max(0.0, time.time() - at / 1000)


def _rates() -> dict[str, float]:
    """Return the events per second of each partition, by its number as JSON has it."""
    recent = Batch.objects.filter(at__gt=timezone.now() - RATE_WINDOW)
    rates: dict[str, float] = {}
    for events in recent.values_list("partitions", flat=True):
        for number, count in events.items():
            rates[number] = rates.get(number, 0.0) + count / RATE_WINDOW.total_seconds()
    return rates

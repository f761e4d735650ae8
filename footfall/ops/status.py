"""How far the counting is: what waits in log, spill and event store, and what cannot be counted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, Error, router
from django.db.models import Count, Min
from django.db.models.functions import Now

from footfall.common.unavailable import is_database_away
from footfall.conf import conf
from footfall.eventlog import Away, Condition, LogError
from footfall.identity import database_now
from footfall.log import get_log
from footfall.models import DeadLetter, Partition, Projection, Segment, Spilled, StoreHead
from footfall.ops.lag import ProjectionStatus, read_projections
from footfall.projections.rows import HOURLY, TOTALS, VISITORS

T = TypeVar("T")

RATE_WINDOW = timedelta(minutes=1)
LOG_TIMEOUT = 1.0  # seconds that the log may take to answer
MAX_CORRUPT = 20  # corrupt segments that are named
AWAY = "the database does not answer, so it is not known what waits"

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
    """All partitions and projections, and the events that are not in the log."""

    at: datetime
    """The moment before anything was read, by the database's clock."""
    partitions: list[PartitionStatus]
    spilled: int
    spilled_oldest_seconds: float | None
    dead_letters: int
    log_error: str
    projections: list[ProjectionStatus] = field(default_factory=list)
    """Also of models that this process does not know."""
    stored_events: int = 0
    """Events in the event store."""
    corrupt_segments: list[int] = field(default_factory=list)
    """Numbers of segments that cannot be read, the first `MAX_CORRUPT`."""
    redis: Condition = field(default_factory=Condition)
    """What Redis says of itself; nothing while it is away."""
    failure: str = ""
    """Why events cannot be stored: the database's disk is full, for example."""

    @property
    def unstored(self) -> int | None:
        """Events in the log and the spill; None while the log is away."""
        undelivered = [status.undelivered for status in self.partitions]
        if any(count is None for count in undelivered):
            return None
        return sum(count or 0 for count in undelivered) + self.spilled

    @property
    def unstored_oldest_seconds(self) -> float | None:
        """The age of the oldest of them, as far as it is known."""
        ages = [one.oldest_seconds for one in self.partitions]
        return oldest([*ages, self.spilled_oldest_seconds])

    @property
    def pending(self) -> int | None:
        """Events that are not in every counter yet; None while the log is away."""
        return self._pending(self._of_kind(TOTALS))

    @property
    def oldest_seconds(self) -> float | None:
        """The age of the oldest of them, as far as it is known."""
        return self._oldest(self._of_kind(TOTALS))

    @property
    def as_of(self) -> datetime | None:
        """Counters read from now on include views up to then; None while the log is away."""
        return self._as_of(self._of_kind(TOTALS))

    @property
    def series_as_of(self) -> datetime | None:
        """The same for views by the hour."""
        return self._as_of(self._of_kind(HOURLY))

    def visitors_as_of_in(self, label: str) -> datetime | None:
        """Return up to when visitors of one model are counted."""
        return self._as_of(self._of_kind(VISITORS, label))

    def pending_in(self, label: str) -> int | None:
        """Return `pending` of the counters of one model: events, and carried over views."""
        return self._pending(self._of_kind(TOTALS, label))

    def as_of_in(self, label: str) -> datetime | None:
        """Return `as_of` of the counters of one model."""
        return self._as_of(self._of_kind(TOTALS, label))

    def series_as_of_in(self, label: str) -> datetime | None:
        """Return `series_as_of` of one model."""
        return self._as_of(self._of_kind(HOURLY, label))

    def _of_kind(self, kind: str, label: str = "") -> list[ProjectionStatus]:
        """Return the projections of one kind; none if nothing of the model was viewed yet."""
        return [one for one in self.projections if one.kind == kind and label in ("", one.label)]

    def _pending(self, projections: Iterable[ProjectionStatus]) -> int | None:
        if self.unstored is None:
            return None
        return self.unstored + max((one.pending for one in projections), default=0)

    def _oldest(self, projections: Iterable[ProjectionStatus]) -> float | None:
        return oldest([self.unstored_oldest_seconds, *(one.oldest_seconds for one in projections)])

    def _as_of(self, projections: Iterable[ProjectionStatus]) -> datetime | None:
        if self.unstored is None:
            return None
        return self.at - timedelta(seconds=self._oldest(projections) or 0)

    @property
    def rate(self) -> float:
        return sum(one.rate for one in self.partitions)

    @property
    def flushed_at(self) -> datetime | None:
        """When events were last stored."""
        return _latest(one.partition.flushed_at for one in self.partitions)

    @property
    def missing(self) -> int:
        """Events that a store has lost, at least."""
        return sum(one.partition.missing for one in self.partitions)

    @property
    def missed_at(self) -> datetime | None:
        """When a loss was last found."""
        return _latest(one.partition.missed_at for one in self.partitions)


def status() -> Status:
    """Read the state of every partition and projection.

    An event moves from log and spill to the store and on to the counters; it is looked for in this
    order, so none is missed. Where routers have reads go to a replica, that tells how far the
    projections are, as it tells counters; what is not counted there is known by the primary. While
    that is away, it is not known how much waits. Raises DatabaseError while the database is away.
    """
    try:
        return _status(DEFAULT_DB_ALIAS)
    except Error as error:
        replica = router.db_for_read(Projection)
        if replica == DEFAULT_DB_ALIAS or not is_database_away(error):
            raise
        return _status(replica)


def _status(using: str) -> Status:
    """using: the database that is asked for what is not counted yet."""
    rows = list(Partition.objects.using(using).annotate(now=Now()))
    at = vars(rows[0])["now"] if rows else database_now()
    known = {partition.number: partition for partition in rows}
    numbers = sorted({*known, *range(conf.COUNTERS_PARTITIONS)})  # also if none was flushed yet
    partitions = [known.get(number) or Partition(number=number) for number in numbers]
    spilled = Spilled.objects.using(using).aggregate(count=Count("*"), oldest=Min("inserted_at"))
    by_partition = DeadLetter.waiting().using(using).order_by().values_list("partition")
    dead_letters = dict(by_partition.annotate(count=Count("*")))
    log = _log_status(partitions) if using == DEFAULT_DB_ALIAS else unknown(partitions, AWAY)
    head = StoreHead.objects.using(using).values_list("events", flat=True).first()
    return Status(
        at=at,
        partitions=_partition_statuses(partitions, log, dead_letters, _rates(at, using)),
        spilled=spilled["count"],
        spilled_oldest_seconds=waited(spilled["oldest"], at),
        dead_letters=sum(dead_letters.values()),
        log_error=log.error,
        projections=read_projections(using),
        stored_events=head or 0,
        corrupt_segments=corrupt_segments(using),
        redis=log.redis,
        failure=log.failure,
    )


def _partition_statuses(
    partitions: Sequence[Partition],
    log: "LogStatus",
    dead_letters: Mapping[int, int],
    rates: Mapping[str, float],
) -> list[PartitionStatus]:
    return [
        PartitionStatus(
            partition,
            *waits,
            rate=rates.get(str(partition.number), 0.0),
            dead_letters=dead_letters.get(partition.number, 0),
        )
        for partition, waits in zip(partitions, log.waiting, strict=True)
    ]


def _log_status(partitions: Sequence[Partition]) -> "LogStatus":
    try:
        return ask_log(lambda: _ask(partitions))
    except LogError as reason:
        return unknown(partitions, str(reason))


def unknown(partitions: Sequence[Partition], reason: str) -> "LogStatus":
    """Return what is known of the log if nothing is."""
    return LogStatus([(None, None)] * len(partitions), reason)


def corrupt_segments(using: str = DEFAULT_DB_ALIAS) -> list[int]:
    """Return the numbers of the first segments that cannot be read."""
    corrupt = Segment.objects.using(using).exclude(corrupt_at=None).order_by("number")
    return list(corrupt.values_list("number", flat=True)[:MAX_CORRUPT])


def waited(since: datetime | None, now: datetime) -> float | None:
    """Return for how many seconds an event has waited at `now`; None if there is none."""
    return None if since is None else max(0.0, (now - since).total_seconds())


def oldest(ages: Iterable[float | None]) -> float | None:
    """Return the highest of the ages that are known."""
    return max((age for age in ages if age is not None), default=None)


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


class LogStatus(NamedTuple):
    """What the log says."""

    waiting: list[Waiting]
    """Of each partition."""
    error: str = ""
    """Why it does not answer, or not for all partitions."""
    redis: Condition = Condition()
    failure: str = ""


def _ask(partitions: Sequence[Partition]) -> LogStatus:
    """Ask for all of it. Raises LogError if no server answers."""
    log = get_log()
    found: list[Waiting] = []
    error = ""
    for partition in partitions:
        position = partition.log_position
        try:
            undelivered = log.pending(partition.number, position)
            waited = log.waited(partition.number, position) if undelivered else None
            found.append((undelivered, waited))
        except Away:
            raise
        except LogError as reason:  # in a cluster the others may be on servers that answer
            error = str(reason)
            found.append((None, None))
    try:
        return LogStatus(found, error, log.condition(), log.failure())
    except LogError as reason:
        return LogStatus(found, error or str(reason))


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in times if at), default=None)


def _rates(now: datetime, using: str) -> dict[str, float]:
    """Return the events per second of each partition, by its number as JSON has it."""
    recent = Segment.objects.using(using).filter(stored_at__gt=now - RATE_WINDOW)
    rates: dict[str, float] = {}
    for events in recent.values_list("partitions", flat=True):
        for number, count in events.items():
            rates[number] = rates.get(number, 0.0) + count / RATE_WINDOW.total_seconds()
    return rates

"""The partitions that an ingest has claimed, and what it reads from them."""

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from footfall.common.compiled import Compiled
from footfall.conf import MAX_PARTITIONS, conf
from footfall.eventlog import Away, Columns, Log, LogError, PositionLost
from footfall.ingest.poison import EVERYTHING, Source, Take
from footfall.models import Partition, Spilled

logger = logging.getLogger(__name__)

PROBE_SECONDS = 60.0  # between two looks for partitions in a cluster, which takes a call for each
MAX_SPILLED = 5_000  # spilled events in one batch: they are read as rows, which are large
NUMBERS = Compiled(lambda: Partition.objects.values_list("number"))
FREE = Compiled(lambda: Partition.objects.select_for_update(skip_locked=True).order_by("number"))
SPILLED = Compiled(lambda: Spilled.objects.order_by().values_list("partition")[:1])


@dataclass
class Claim:
    """A partition that this ingest has locked, and what it read there."""

    partition: Partition
    entries: Columns = field(default_factory=Columns)
    spilled: list[Spilled] = field(default_factory=list)
    is_read: bool = False
    reached_end: bool = False
    """Whether nothing was left when it was read."""
    position_lost: PositionLost | None = None

    @property
    def number(self) -> int:
        return self.partition.number


def unknown_partitions(log: Log) -> set[int]:
    """Return the partitions of the log that have no row: web servers may have more than we do."""
    global _probed_at
    if log.is_cluster and time.monotonic() < _probed_at + PROBE_SECONDS:
        return set()
    try:
        found = log.existing(sorted({*range(MAX_PARTITIONS)} - _known()))
    except LogError as error:
        logger.warning("unknown partitions cannot be looked for: %s", error)
        return set()
    _probed_at = time.monotonic()
    return found


_probed_at = float("-inf")


def all_partitions() -> set[int]:
    """Return the partitions of the table, the settings and the spill."""
    return _known() | _wanted()


def _known() -> set[int]:
    return {number for (number,) in NUMBERS.all()}


def _wanted() -> set[int]:
    wanted = {*range(conf.COUNTERS_PARTITIONS)}
    if SPILLED.all():
        spilled = Spilled.objects.filter(partition__gte=conf.COUNTERS_PARTITIONS)
        wanted.update(spilled.values_list("partition", flat=True).distinct())
    return wanted


def claim(also: Collection[int] = (), take: Take = EVERYTHING) -> list[Claim]:
    """Lock the partitions that no other ingest has locked, in the order of their numbers.

    also: partitions that neither the settings nor the table may have.
    """
    missing = [Partition(number=number) for number in sorted(_wanted().union(also) - _known())]
    Partition.objects.bulk_create(missing, ignore_conflicts=True)
    if take.partition is None:
        return [Claim(partition) for partition in FREE.all()]
    free = Partition.objects.select_for_update(skip_locked=True)
    return [Claim(partition) for partition in free.filter(number=take.partition)]


def read(log: Log, claims: Sequence[Claim], take: Take) -> None:
    """Read up to the limit of `take`, the same share from each partition.

    What some partitions leave of their share goes to those that have more.
    """
    if take.source is Source.SPILL:
        return
    limit = take.limit
    share = max(1, limit // max(1, len(claims)))
    max_bytes = conf.COUNTERS_BATCH_BYTES // max(1, len(claims))
    if not all(read_some(log, claim, share, max_bytes) for claim in claims):
        return  # Redis is away; the ingest goes on with the spill, where views go meanwhile
    behind = [claim for claim in claims if len(claim.entries) == share and not claim.reached_end]
    left = limit - sum(len(claim.entries) for claim in claims)
    for claim in behind:
        if left >= len(behind):
            read_some(log, claim, left // len(behind), max_bytes)


def read_some(log: Log, claim: Claim, count: int, max_bytes: int) -> bool:
    """Read on in one partition; return False if Redis is away."""
    position = claim.entries.position() if claim.entries else claim.partition.log_position
    try:
        columns, claim.reached_end, lost = log.read(claim.number, position, count, max_bytes)
    except LogError as error:
        logger.warning("partition %s cannot be read: %s", claim.number, error)
        return not isinstance(error, Away)
    claim.entries += columns
    claim.position_lost = claim.position_lost or lost
    claim.is_read = True
    return True


def drain_spill(claims: Sequence[Claim], take: Take) -> None:
    """Remove spilled events, up to the limit of `take`, from the table into their claims."""
    if take.source is Source.LOG or not SPILLED.all():
        return
    limit = min(take.limit, MAX_SPILLED)
    by_number = {claim.number: claim for claim in claims}
    free = Spilled.objects.select_for_update(skip_locked=True).order_by("pk")
    spilled = list(free.filter(partition__in=by_number)[:limit])
    for row in spilled:
        by_number[row.partition].spilled.append(row)
    # Exactly the rows that were locked. Not `pk <= last`: a row with a lower id may commit later.
    Spilled.objects.filter(pk__in=[row.pk for row in spilled]).delete()
    if len(spilled) == limit:
        for claim in claims:
            claim.reached_end = False


def trim(log: Log, claims: Sequence[Claim]) -> None:
    """Remove stored entries that are older than the retention. Only ever after the commit."""
    for claim in claims:
        position = claim.partition.log_position
        # Idle partitions, too: a full partition gets no new entries until this makes room in it.
        if claim.is_read and position:
            try:
                log.trim(claim.number, position)
            except LogError as error:
                logger.warning("partition %s cannot be trimmed: %s", claim.number, error)
                if isinstance(error, Away):
                    return

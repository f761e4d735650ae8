"""The partitions that an ingest has claimed, and what it reads from them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from footfall.conf import conf
from footfall.eventlog import Away, Columns, LogError, RedisLog
from footfall.models import Partition, Spilled

logger = logging.getLogger(__name__)

MAX_SPILLED = 5_000  # spilled events in one batch: they are read as rows, which are large


@dataclass
class Claim:
    """A partition that this ingest has locked, and what it read there."""

    partition: Partition
    entries: Columns = field(default_factory=Columns)
    spilled: list[Spilled] = field(default_factory=list)
    is_read: bool = False
    reached_end: bool = False
    """Whether nothing was left when it was read."""

    @property
    def number(self) -> int:
        return self.partition.number


def claim() -> list[Claim]:
    """Lock the partitions that no other ingest has locked, in the order of their numbers."""
    known = set(Partition.objects.values_list("number", flat=True))
    spilled = Spilled.objects.filter(partition__gte=conf.COUNTERS_PARTITIONS)
    wanted = {
        *range(conf.COUNTERS_PARTITIONS),
        *spilled.values_list("partition", flat=True).distinct(),
    }
    missing = [Partition(number=number) for number in sorted(wanted - known)]
    Partition.objects.bulk_create(missing, ignore_conflicts=True)
    free = Partition.objects.select_for_update(skip_locked=True).order_by("number")
    return [Claim(partition) for partition in free]


def read(log: RedisLog, claims: Sequence[Claim], limit: int) -> None:
    """Read up to `limit` entries, the same share from each partition.

    What some partitions leave of their share goes to those that have more.
    """
    share = max(1, limit // max(1, len(claims)))
    max_bytes = conf.COUNTERS_BATCH_BYTES // max(1, len(claims))
    if not all(read_some(log, claim, share, max_bytes) for claim in claims):
        return  # Redis is away; the ingest goes on with the spill, where views go meanwhile
    behind = [claim for claim in claims if len(claim.entries) == share and not claim.reached_end]
    left = limit - sum(len(claim.entries) for claim in claims)
    for claim in behind:
        if left >= len(behind):
            read_some(log, claim, left // len(behind), max_bytes)


def read_some(log: RedisLog, claim: Claim, count: int, max_bytes: int) -> bool:
    """Read on in one partition; return False if Redis is away."""
    position = claim.entries.position() if claim.entries else claim.partition.log_position
    try:
        columns, claim.reached_end = log.read(claim.number, position, count, max_bytes)
    except LogError as error:
        logger.warning("partition %s cannot be read: %s", claim.number, error)
        return not isinstance(error, Away)
    claim.entries += columns
    claim.is_read = True
    return True


def drain_spill(claims: Sequence[Claim], limit: int) -> None:
    """Remove up to `limit` spilled events from the table, into their claims."""
    limit = min(limit, MAX_SPILLED)
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


def trim(log: RedisLog, claims: Sequence[Claim]) -> None:
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

"""The identity of the database, and its epoch.

An epoch is an hour in which the service ran. What is irreversible (removing producer states, dead
letters, events) goes by epochs and by no clock: a clock that jumps, however far, changes the epoch
by `MAX_STEP` at most.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from footfall.common.compiled import Compiled
from footfall.models import Identity, Partition, ProducerState, Segment, StoreHead

logger = logging.getLogger(__name__)

Segmented = tuple[int, int]
"""Number and key of a segment."""
IDLE = timedelta(seconds=30)
"""A service that has stored nothing for so long is not running, as far as can be told."""
ROW = 1
"""The primary key of the one row."""
HOUR = timedelta(hours=1)
HOURS_PER_DAY = 24
MAX_STEP = 24
"""By how many hours one call advances the epoch at most: after a pause, or a clock that jumped."""

_names: list[Callable[[], Mapping[str, Segmented]]] = []


NOW = Compiled(
    lambda: Identity.objects.filter(pk=ROW).annotate(now=Now()).values_list("name", "epoch", "now")
)
EPOCH = Compiled(lambda: Identity.objects.filter(pk=ROW).values_list("epoch"))


class Moment(NamedTuple):
    """What the database says of itself and of the time."""

    name: str
    """Its identity."""
    epoch: int
    now: datetime
    """By its clock."""

    @property
    def day(self) -> int:
        """The epoch in days."""
        return self.epoch // HOURS_PER_DAY

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.now.timestamp() * 1000)


def moment() -> Moment:
    """Return identity, epoch and time, in one query."""
    found = NOW.all()
    if not found:
        ensure_identity()
        found = NOW.all()
    return Moment(*found[0])


def epoch() -> int:
    """Return the present epoch."""
    found = EPOCH.first()
    return found[0] if found else 0


def advance_epoch() -> int:
    """Advance the epoch by the hours since it was advanced, and return it. Call it every hour.

    Only the database's clock counts. If it was set back, the epoch stays, and goes on from there.
    """
    with transaction.atomic():
        row = lock_identity()
        now = database_now()
        hours = (now - row.epoch_at) // HOUR
        if 0 <= hours <= MAX_STEP:
            row.epoch_at += hours * HOUR
        else:
            row.epoch_at = now
        row.epoch += min(max(hours, 0), MAX_STEP)
        row.save()
    return row.epoch


def database_now() -> datetime:
    """Return the time by the database's clock."""
    rows = ContentType.objects.order_by()  # of a table that is never empty
    now: datetime = rows.annotate(now=Now()).values_list("now", flat=True)[:1].get()
    return now


def present_name() -> str | None:
    """Return the identity; None if the row is missing."""
    return Identity.objects.filter(pk=ROW).values_list("name", flat=True).first()


def ensure_identity() -> Identity:
    """Return the row. Creates it if it is missing: see `_made_anew`."""
    found = Identity.objects.filter(pk=ROW).first()
    if found is None:
        Identity.objects.bulk_create([_made_anew()], ignore_conflicts=True)
        found = Identity.objects.get(pk=ROW)
    return found


def find_names_with(names: Callable[[], Mapping[str, Segmented]]) -> None:
    """Set what returns the newest segment of each identity that uses this log, by name."""
    _names[:] = [names]


def _made_anew() -> Identity:
    """Return a row with a new identity if nothing was stored, as after a TRUNCATE of all tables.

    Else the row alone is lost: it gets the identity under which the log knows a segment of this
    database, or what waits in the log would belong to none. Raises OperationalError while the log
    is away.
    """
    head = StoreHead.objects.order_by("pk").first() or StoreHead()
    row = Identity(pk=ROW, name=secrets.token_hex(4))
    if not head.number:
        return row
    known = {name: one for find in _names for name, one in find().items() if _is_stored(head, one)}
    same = [name for name, one in known.items() if one == head.position[:2]] or list(known)
    if len(same) == 1:
        row.name = same[0]
    logger.error(
        "the row of counters_identity was lost: the identity is %r, %s",
        row.name,
        "as before" if len(same) == 1 else "a new one, since the log does not tell the old one",
    )
    for table in (Segment, ProducerState):
        row.epoch = max(row.epoch, table._default_manager.aggregate(n=Max("epoch"))["n"] or 0)
    return row


def _is_stored(head: StoreHead, segment: Segmented) -> bool:
    number, key = segment
    is_last = segment == head.position[:2]
    return is_last or Segment.objects.filter(number=number, key=key).exists()


class StillRunning(Exception):
    """An ingest has worked on this database a moment ago."""


def renew_identity() -> str:
    """Give this database a new identity, for a copy that is to count for itself; return it.

    Its partitions begin anew, in a log of its own; nothing else changes. Raises StillRunning.
    """
    with transaction.atomic():
        numbers = Partition.objects.values_list("number", flat=True)
        free = list(numbers.select_for_update(skip_locked=True).order_by("number"))
        recent = Partition.objects.filter(flushed_at__gt=database_now() - IDLE)
        if len(free) < Partition.objects.count() or recent.exists():
            raise StillRunning
        Partition.objects.update(position="", producer_id=None, sequence=None, offset=0)
        row = lock_identity()
        row.name, row.conflict_at = secrets.token_hex(4), None
        row.save()
    return row.name


def lock_identity() -> Identity:
    """Lock the row, and return it. A transaction locks partitions before, and the store after."""
    rows = Identity.objects.select_for_update().filter(pk=ROW)
    found = rows.first()
    if found is None:
        ensure_identity()
        found = rows.get()
    return found

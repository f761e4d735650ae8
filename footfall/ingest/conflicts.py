"""Finds out that two databases with one identity read a log, or that this one was restored.

After the commit of an ingest Redis has number and key of the newest segment. An ingest that finds a
segment there that its own store does not have says so.
"""

import logging

from footfall.eventlog import Away, LogError
from footfall.eventlog.identities import Newest
from footfall.identity import ROW, Moment
from footfall.log import identities
from footfall.models import Identity, Segment
from footfall.store.read import store_head

logger = logging.getLogger(__name__)


def newest_of_log(name: str) -> tuple[Newest | None, bool]:
    """Return what the last ingest of this log noted, and whether Redis is away.

    name: identity of the database. Call it before the transaction begins.
    """
    try:
        return identities().newest(name), False
    except LogError as error:
        return None, isinstance(error, Away)


def find_conflict(seen: Newest | None, moment: Moment) -> bool:
    """Note a conflict in the transaction of an ingest; return whether there is one."""
    if seen is None or _has(*seen):
        return False
    logger.error(
        "segment %d of this log is not in the event store: another database reads the log, or this"
        " one was restored; for a copy: manage.py counters new-identity",
        seen[0],
    )
    Identity.objects.filter(pk=ROW).update(conflict_at=moment.now)
    return True


def note_newest(name: str, number: int, key: int) -> None:
    """Tell Redis the newest segment. Only ever after the commit."""
    try:
        identities().note(name, (number, key))
    except LogError as error:
        logger.warning("the newest segment was not noted in Redis: %s", error)


def _has(number: int, key: int) -> bool:
    """Tell whether the store has this segment, or may have had it: it may have left."""
    head = store_head()
    if number >= head.number:
        return (number, key) == (head.number, head.key)
    return not Segment.objects.filter(number=number).exclude(key=key).exists()

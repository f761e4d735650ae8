"""Records views: one view becomes one event."""

import time
from collections.abc import Iterable, Mapping

from django.db import DatabaseError, models

from footfall import events
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.eventlog import Ambiguous, EventId, Refused, partition_of
from footfall.ingest.spill import spill
from footfall.log import get_log
from footfall.registry import counted_as


class Unacknowledged(Exception):
    """Neither the log nor the database took the view: it will not be counted."""


def record(
    viewed: models.Model,
    contents: Iterable[models.Model] = (),
    unanswered_id: EventId | None = None,
) -> None:
    """Record one view of `viewed` and of everything in `contents`, as one event.

    A content that is given twice is viewed once. Returning means: the view will be counted,
    exactly once. Raises Unacknowledged, or TypeError if a model is not countable.

    unanswered_id: of an append of this same view, by `cached_pages.read_and_record`.
    """
    body = events.encode(targets(viewed, contents))
    partition = partition_for(name_of(type(viewed), viewed.pk))
    at = time.time_ns() // 1_000_000
    if unanswered_id is None:
        try:
            get_log().append(partition, body, at)
            return
        except Ambiguous as error:
            unanswered_id = error.event_id
        except Refused:
            pass
    failpoint("before_spill")
    try:
        spill(partition, body, at, unanswered_id)
    except DatabaseError as error:
        raise Unacknowledged("neither Redis nor the database took the view") from error
    failpoint("after_spill")


def targets(viewed: models.Model, contents: Iterable[models.Model]) -> Mapping[str, set[int]]:
    """Return the targets of one view: ids by label."""
    ids: dict[str, set[int]] = {}
    for target in (viewed, *contents):
        ids.setdefault(counted_as(type(target)), set()).add(target.pk)
    return ids


def name_of(model: type[models.Model], pk: int) -> str:
    """Return the name of a target: "pages.page:7"."""
    return f"{counted_as(model)}:{pk}"


def partition_for(name: str) -> int:
    """Return the partition for views of the target with this name."""
    return partition_of(name, conf.COUNTERS_PARTITIONS)

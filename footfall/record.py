"""Records views: one view becomes one event."""

import logging
import time
from collections.abc import Iterable, Mapping
from functools import partial

from django.db import DatabaseError, models, router, transaction

from footfall import events
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.eventlog import Ambiguous, EventId, Refused, partition_of
from footfall.ingest.spill import spill
from footfall.keys import with_key
from footfall.log import get_log
from footfall.registry import counted_as
from footfall.viewers.request import Source, viewer_of

logger = logging.getLogger(__name__)


class Unacknowledged(Exception):
    """Neither the log nor the database took the view: it will not be counted."""


def record(
    viewed: models.Model,
    contents: Iterable[models.Model] = (),
    unanswered_id: EventId | None = None,
    *,
    request: Source | None = None,
    key: bytes = b"",
    at: int | None = None,
) -> None:
    """Record one view of `viewed` and of everything in `contents`, as one event.

    A content that is given twice is viewed once. Returning means: the view will be counted,
    exactly once. Raises Unacknowledged; TypeError if a model is not countable; ValueError if a
    target is not saved yet.

    Inside `transaction.atomic()`, in the database of `viewed`, the view is recorded when that
    transaction commits, and never if it rolls back. If it is not acknowledged then, that is logged.

    unanswered_id: of an append of this same view, by `cached_pages.read_and_record`.
    request: the one that has viewed it (or the environ of WSGI), from which visitor and agent are
        told; without it neither is known.
    key: of the client, see `keys.make_key`: with it the view counts once, however often it is
        recorded. at: when it happened, in ms since 1970.
    """
    body = events.encode(targets(viewed, contents))
    partition = partition_for(name_of(type(viewed), viewed.pk))
    at = time.time_ns() // 1_000_000 if at is None else at
    meta = with_key(viewer_of(request), key)
    using = router.db_for_write(type(viewed), instance=viewed)
    if in_transaction(using):
        on_commit = partial(append_committed, partition, body, at, unanswered_id, meta)
        transaction.on_commit(on_commit, using=using, robust=True)
    else:
        append(partition, body, at, unanswered_id, meta)


def append(
    partition: int, body: bytes, at: int, unanswered_id: EventId | None, meta: bytes
) -> None:
    """Append an event to the log, else to the spill. Raises Unacknowledged."""
    if unanswered_id is None:
        try:
            get_log().append(partition, body, at, meta)
            return
        except Ambiguous as error:
            unanswered_id = error.event_id
        except Refused:
            pass
        except DatabaseError as error:
            raise Unacknowledged("it is not known whose log it would be") from error
    failpoint("before_spill")
    try:
        spill(partition, body, at, unanswered_id, meta)
    except DatabaseError as error:
        raise Unacknowledged("neither Redis nor the database took the view") from error
    failpoint("after_spill")


def append_committed(
    partition: int, body: bytes, at: int, unanswered_id: EventId | None, meta: bytes
) -> None:
    """As `append`, for a caller that has gone on: an event that is lost is logged."""
    try:
        append(partition, body, at, unanswered_id, meta)
    except Unacknowledged as error:
        logger.exception("lost a view of %s: %s", events.decode(body), error)


def in_transaction(using: str) -> bool:
    """Tell whether what is done now in this database may still be rolled back.

    The transaction around each test of Django's TestCase is none, as for `atomic(durable=True)`:
    it never commits. So in tests, too, a view outside of `atomic()` is recorded at once.
    """
    blocks = transaction.get_connection(using).atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)


def targets(viewed: models.Model, contents: Iterable[models.Model]) -> Mapping[str, set[int]]:
    """Return the targets of one view: ids by label. Raises ValueError for one without an id."""
    ids: dict[str, set[int]] = {}
    for target in (viewed, *contents):
        label = counted_as(type(target))
        if target.pk is None:
            raise ValueError(f"A view of a {label} without a primary key: save it first.")
        ids.setdefault(label, set()).add(target.pk)
    return ids


def name_of(model: type[models.Model], pk: int) -> str:
    """Return the name of a target: "pages.page:7"."""
    return f"{counted_as(model)}:{pk}"


def partition_for(name: str) -> int:
    """Return the partition for views of the target with this name."""
    return partition_of(name, conf.COUNTERS_PARTITIONS)

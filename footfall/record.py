"""Records views: one view becomes one event."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, models, router, transaction

from footfall import events
from footfall.common.failpoints import failpoint
from footfall.conf import conf
from footfall.eventlog import Ambiguous, EventId, Refused, partition_of
from footfall.events.keys import with_key
from footfall.ingest.spill import spill
from footfall.log import get_log
from footfall.registry import (
    counted_as,
    counter_field,
    database_of,
    has_own_key,
    how_counted,
    id_in,
    is_keyed,
    is_plain,
    key_of,
    name_of_key,
)
from footfall.viewers.request import Source, viewer_of
from footfall.viewers.users import is_excluded

HOME = frozenset({DEFAULT_DB_ALIAS})

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
    exactly once; or the models exclude views by this user, see `policies.Exclude`. Raises
    Unacknowledged; TypeError if a model is not countable; ValueError if a target is not saved yet,
    or is a row of another database.

    Inside `transaction.atomic()`, in the database `default` or in that of a target, the view is
    recorded when that transaction commits, and never if it rolls back. If it is not acknowledged
    then, that is logged.

    unanswered_id: of an append of this same view, by `cached_pages.read_and_record`.
    request: the one that has viewed it (or the environ of WSGI), from which visitor and agent are
        told; without it neither is known.
    key: of the client, see `events.keys.make_key`: with it the view counts once, however often it
        is recorded. at: when it happened, in ms since 1970.
    """
    counted = [one for one in (viewed, *contents) if not is_excluded(one, request)]
    if not counted:
        return
    kinds = {*map(type, counted)}
    is_usual = all(map(is_plain, kinds))
    body = events.encode(targets(counted[0], counted[1:]), None if is_usual else names(counted))
    partition = partition_for(name_of_target(viewed))
    at = time.time_ns() // 1_000_000 if at is None else at
    meta = with_key(viewer_of(request), key)
    databases = HOME if is_usual else HOME | {*map(database_of, kinds)}
    if any(map(in_transaction, databases)):
        after_commit(databases, partial(append_committed, partition, body, at, unanswered_id, meta))
    else:
        append(partition, body, at, unanswered_id, meta)


async def arecord(
    viewed: models.Model,
    contents: Iterable[models.Model] = (),
    *,
    request: Source | None = None,
    key: bytes = b"",
    at: int | None = None,
) -> None:
    """As `record`, in the thread that Django has for the database, so the event loop goes on.

    If the caller is cancelled, the view is recorded or not; once this has returned, it will be
    counted. Await it before the answer: no task of a request may outlive it.
    """
    await sync_to_async(record)(viewed, contents, request=request, key=key, at=at)


def after_commit(databases: Collection[str], then: Callable[[], object]) -> None:
    """Call `then` once all transactions that are open in these databases have committed.

    Never if one of them rolls back, whichever ends first.
    """
    waiting = set(filter(in_transaction, databases))

    def committed(using: str) -> None:
        waiting.discard(using)
        if not waiting:
            then()

    for using in list(waiting):
        transaction.on_commit(partial(committed, using), using=using, robust=True)


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
    """Return the targets of one view: ids by label.

    Raises ValueError for one without an id, and for one of another database.
    """
    ids: dict[str, set[int]] = {}
    for target in (viewed, *contents):
        label, attribute, keyed, home = how_counted(type(target))
        key = key_of(target) if keyed else getattr(target, attribute)
        if key is None:
            raise ValueError(f"A view of a {label} without a primary key: save it first.")
        if target._state.db not in (None, home):  # None: made, and not read
            require_home(target)
        ids.setdefault(label, set()).add(key)
    return ids


def names(viewed: Iterable[models.Model]) -> events.Keys:
    """Return the keys of those targets of which the ids are hashes of them."""
    found: dict[str, dict[int, str]] = {}
    for target in viewed:
        if is_keyed(type(target)) and (name := name_of_key(target)) is not None:
            found.setdefault(counted_as(type(target)), {})[events.id_of(name)] = name
    return found


def require_home(target: models.Model) -> None:
    """Raise ValueError if a row is not in the database in which it would be counted.

    A replica of that is named by a router, or by `TEST = {"MIRROR": "default"}`.
    """
    home = database_of(type(target))
    using = router.db_for_write(type(target), instance=target)
    mirrored = settings.DATABASES.get(using, {}).get("TEST", {}).get("MIRROR")
    if home not in {using, mirrored}:
        label = target._meta.label
        raise ValueError(f"A view of a {label} of the database {using!r}: it is not counted there.")


def name_of(model: type[models.Model], pk: Any) -> str:
    """Return the name of a target: "pages.page:7".

    Raises TypeError for a child that has a key of its own: its parent's is needed.
    """
    if has_own_key(model):
        label, parent = model._meta.label, counter_field(model).model._meta.label
        raise TypeError(f"{label} has a key of its own: give {parent}, and the key of that.")
    return f"{counted_as(model)}:{id_in(model, pk) if is_keyed(model) else pk}"


def name_of_target(target: models.Model) -> str:
    """Return the name of a target that is at hand."""
    label, attribute, keyed, _home = how_counted(type(target))
    return f"{label}:{key_of(target) if keyed else getattr(target, attribute)}"


def partition_for(name: str) -> int:
    """Return the partition for views of the target with this name."""
    return partition_of(name, conf.COUNTERS_PARTITIONS)

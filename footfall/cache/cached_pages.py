"""Pages that are cached in Redis: one call returns the page and records the view of it.

What an entry has: see `cache/entries.py`. `cache/publish.py` and `cache/invalidation.py` keep them
up to date.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import models

from footfall.cache.entries import Lease, get_page_cache
from footfall.eventlog import Ambiguous, EventId, LogError, Refused
from footfall.events import encode
from footfall.events.keys import with_key
from footfall.log import get_log
from footfall.record import name_of, name_of_target, names, partition_for, record, targets
from footfall.registry import counter_field, counter_of
from footfall.viewers.request import Source, viewer_of

logger = logging.getLogger(__name__)

Loaded = TypeVar("Loaded", bound=tuple[models.Model, Sequence[models.Model]])
"""A target, and the contents that are viewed and shown with it."""
Response = TypeVar("Response")


def serve_and_record(
    model: type[models.Model],
    pk: Any,
    *,
    load: Callable[[], Loaded],
    respond: Callable[[Loaded], Response],
    template: Callable[[Response], bytes],
    use_cached: bool = True,
    unanswered_id: EventId | None = None,
    request: Source | None = None,
    key: bytes = b"",
    at: int | None = None,
) -> Sequence[bytes] | Response:
    """Return a cached page as `read_and_record` does, else the response made from the database.

    Either way one view is recorded; not if an error is raised, by `load` for instance. A page that
    was not cached is cached for the next reader, by one of several concurrent callers: the others
    wait for it, 0.5 s at most.

    template: returns the page without its counters, for the cache.
    use_cached: False for a client that the cached page does not suit.
    unanswered_id: the event id, if this view was sent to the log before, without an answer.
    request: the one that views it, as for `record`.
    key, at: as for `record`.
    """
    own_lease = None
    if unanswered_id is None:
        own_lease = lease(model, pk)  # before the target is read
        if own_lease is None and use_cached:
            found, unanswered_id = try_read_and_record(model, pk, request, key=key, at=at)
            if found:
                return found
    try:
        viewed, contents = loaded = load()
        response = respond(loaded)
        if not own_lease or not fill(own_lease, viewed, contents, template(response)):
            show_no_less(viewed, contents)
    except Exception:
        if own_lease:
            release(own_lease)
        raise
    # Last: without a response there is no view.
    record(viewed, contents, unanswered_id, request=request, key=key, at=at)
    return response


def try_read_and_record(
    model: type[models.Model],
    pk: Any,
    request: Source | None = None,
    *,
    key: bytes = b"",
    at: int | None = None,
) -> tuple[Sequence[bytes] | None, EventId | None]:
    """As `read_and_record`; or None, and the event id if the view may have been recorded."""
    try:
        return read_and_record(model, pk, request, key=key, at=at), None
    except Refused:
        return None, None
    except Ambiguous as error:
        return None, error.event_id


def read_and_record(
    model: type[models.Model],
    pk: Any,
    request: Source | None = None,
    *,
    key: bytes = b"",
    at: int | None = None,
) -> Sequence[bytes] | None:
    """Record one view of a target; return its cached page, then the counters to put into it.

    The view is recorded at once, inside `transaction.atomic()` too: the page is there already.
    None: no page is cached that may be used, and nothing was recorded. Raises eventlog.Refused:
    nothing was recorded. Raises eventlog.Ambiguous: it may have been recorded, so give `record` the
    event id. request, key, at: as for `record`.
    """
    name = name_of(model, pk)
    partition = partition_for(name)
    if partition in get_page_cache().distrusted:
        return None
    at = time.time_ns() // 1_000_000 if at is None else at
    appended = get_log().append_cached(partition, name, at, with_key(viewer_of(request), key))
    return appended.values if appended else None


def lease(model: type[models.Model], pk: Any) -> Lease | None:
    """Return the right to fill the cache entry of a target. Call it before reading the target.

    Waits while another caller has the lease. None: the page may be cached now, try to read it.
    """
    name = name_of(model, pk)
    partition, pages = partition_for(name), get_page_cache()
    try:
        return None if partition in pages.distrusted else pages.lease(partition, name)
    except LogError:
        return None


def fill(lease: Lease, viewed: models.Model, contents: Sequence[models.Model], page: bytes) -> bool:
    """Cache a page, unless the target was changed since the lease. Return whether it is cached.

    One that excludes users is not: a cached page is counted before it is known who reads it.
    contents: what is viewed with the page; it shows their counters, in this order. Errors are only
    logged.
    """
    if any(counter_field(type(one)).exclude for one in (viewed, *contents)):
        release(lease)
        return False
    body = encode(targets(viewed, contents), names((viewed, *contents)))
    counters = [(name_of_target(one), counter_of(one)) for one in contents]
    try:
        return get_page_cache().store(lease, body, page, counters)
    except LogError as error:
        logger.warning("a page was not cached: %s", error)
        return False


def show_no_less(viewed: models.Model, contents: Sequence[models.Model]) -> None:
    """Let no page from the cache show less than this one, which was read from the database.

    If Redis cannot be told that, what is cached now is discarded.
    """
    counters = {name_of_target(one): counter_of(one) for one in contents}
    partition = partition_for(name_of_target(viewed))
    pages = get_page_cache()
    if partition not in pages.distrusted:
        try:
            pages.raise_counters(partition, counters)
            return
        except LogError as error:
            logger.warning("cached pages are not used until Redis is back: %s", error)
    pages.distrust(partition)


def release(lease: Lease) -> None:
    """Give a lease back without filling the cache entry."""
    try:
        get_page_cache().release(lease)
    except LogError as error:
        logger.warning("a lease was not released: %s", error)

"""Answers that are prepared in Redis: reading one records the view of it, in a single call.

What is prepared of a target is the event of its view, and an answer in which the counters of its
contents are left out: they come beside it, as fresh as the last flush has published them. It is a
copy, which may be lost at any time. `footfall/cache/publish.py` keeps it true.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import models

from footfall.cache.entries import Lease, get_page_cache
from footfall.eventlog import Ambiguous, EventId, LogError, Refused
from footfall.events import encode
from footfall.log import get_log
from footfall.record import name_of, partition_for, record, targets
from footfall.registry import counter_of

logger = logging.getLogger(__name__)

Loaded = TypeVar("Loaded", bound=tuple[models.Model, Sequence[models.Model]])
"""A target, and the contents that are viewed and shown with it."""
Response = TypeVar("Response")


def read_or_fill(
    model: type[models.Model],
    pk: int,
    *,
    load: Callable[[], Loaded],
    respond: Callable[[Loaded], Response],
    template: Callable[[Response], bytes],
    use_cached: bool = True,
    sent_as: EventId | None = None,
) -> Sequence[bytes] | Response:
    """Return a cached page as `view` does, else the response made from the database.

    Either way one view is recorded; not if an error is raised, by `load` for instance. A page that
    was not cached is cached for the next reader, by one of several concurrent callers: the others
    wait for it, 0.5 s at most.

    template: returns the page without its counters, for the cache.
    use_cached: False for a client that the cached page does not suit.
    sent_as: the event id, if this view was sent to the log before, without an answer.
    """
    own_lease = None
    if sent_as is None:
        own_lease = lease(model, pk)  # before the target is read
        if own_lease is None and use_cached:
            found, sent_as = try_view(model, pk)
            if found:
                return found
    try:
        viewed, contents = loaded = load()
        response = respond(loaded)
        if own_lease:
            prepare(own_lease, viewed, contents, template(response), contents)
    except Exception:
        if own_lease:
            release(own_lease)
        raise
    record(viewed, contents, sent_as)  # last: without a response there is no view
    return response


def try_view(model: type[models.Model], pk: int) -> tuple[Sequence[bytes] | None, EventId | None]:
    """Return what `view` does; or None, and the event id if the view may have been recorded."""
    try:
        return view(model, pk), None
    except Refused:
        return None, None
    except Ambiguous as error:
        return None, error.number


def view(model: type[models.Model], pk: int) -> Sequence[bytes] | None:
    """Record one view of a target; return the answer, then the counters that belong into it.

    None: nothing is prepared, and nothing was recorded. Raises eventlog.Refused: nothing was
    recorded; or Ambiguous: perhaps it was, and `record` must be told the number.
    """
    name = name_of(model, pk)
    at = time.time_ns() // 1_000_000
    appended = get_log().append_cached(partition_for(name), name, at)
    return appended.values if appended else None


def lease(model: type[models.Model], pk: int) -> Lease | None:
    """Return the right to prepare a target's answer. To be taken before the target is read.

    Waits while somebody else prepares it. None: look again, it may be there now.
    """
    name = name_of(model, pk)
    try:
        return get_page_cache().lease(partition_for(name), name)
    except LogError:
        return None


def prepare(
    lease: Lease,
    viewed: models.Model,
    contents: Sequence[models.Model],
    answer: bytes,
    shown: Sequence[models.Model],
) -> None:
    """Keep an answer, unless the target was changed since the lease. Failing harms nobody.

    viewed, contents: what a view of it is a view of.
    shown: those whose counters belong into the answer, in its order.
    """
    body = encode(targets(viewed, contents))
    counters = [(name_of(type(one), one.pk), counter_of(one)) for one in shown]
    try:
        get_page_cache().put(lease, body, answer, counters)
    except LogError as error:
        logger.warning("an answer was not kept: %s", error)


def release(lease: Lease) -> None:
    """Give the right back: there is nothing to prepare."""
    try:
        get_page_cache().release(lease)
    except LogError as error:
        logger.warning("a lease was not released: %s", error)

"""Pages that are cached in Redis: one call returns the page and records the view of it.

A cache entry has the event of the page's view, and the page without the counters of its contents:
they lie beside it, as the last flush has published them. Cached pages are copies and may be lost at
any time. `cache/publish.py` and `cache/invalidation.py` keep them up to date.
"""

import logging
import time
from collections.abc import Sequence

from django.db import models

from footfall.cache.entries import Lease, get_page_cache
from footfall.eventlog import LogError
from footfall.events import encode
from footfall.log import get_log
from footfall.record import name_of, partition_for, targets
from footfall.registry import counter_of

logger = logging.getLogger(__name__)


def view(model: type[models.Model], pk: int) -> Sequence[bytes] | None:
    """Record one view of a target; return its cached page, then the counters to put into it.

    None: no page is cached, and nothing was recorded. Raises eventlog.Refused: nothing was
    recorded. Raises eventlog.Ambiguous: it may have been recorded, so give `record` the event id.
    """
    name = name_of(model, pk)
    at = time.time_ns() // 1_000_000
    appended = get_log().append_cached(partition_for(name), name, at)
    return appended.values if appended else None


def lease(model: type[models.Model], pk: int) -> Lease | None:
    """Return the right to fill the cache entry of a target. Call it before reading the target.

    Waits while another caller has the lease. None: try `view` again, the page may be cached now.
    """
    name = name_of(model, pk)
    try:
        return get_page_cache().lease(partition_for(name), name)
    except LogError:
        return None


def fill(
    lease: Lease,
    viewed: models.Model,
    contents: Sequence[models.Model],
    page: bytes,
    shown: Sequence[models.Model],
) -> None:
    """Cache a page, unless the target was changed since the lease. Errors are only logged.

    viewed, contents: the targets of a view of the page.
    shown: the targets whose counters the page shows, in its order.
    """
    body = encode(targets(viewed, contents))
    counters = [(name_of(type(one), one.pk), counter_of(one)) for one in shown]
    try:
        get_page_cache().store(lease, body, page, counters)
    except LogError as error:
        logger.warning("a page was not cached: %s", error)


def release(lease: Lease) -> None:
    """Give a lease back without filling the cache entry."""
    try:
        get_page_cache().release(lease)
    except LogError as error:
        logger.warning("a lease was not released: %s", error)

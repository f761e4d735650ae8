"""Tells in two small questions that there is nothing to ingest: a worker looks every second."""

import time
from collections.abc import Callable

from django.db import Error

from footfall.conf import conf
from footfall.eventlog import LogError, RedisLog
from footfall.ingest.claims import SPILLED
from footfall.log import get_log

FULL_LOOK_SECONDS = 10.0
"""How often an ingest looks at everything: positions, identity, partitions of other settings."""

Signs = tuple[object, ...]


class Quiet:
    """Knows what log and spill looked like when an ingest found nothing in them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked: Signs | None = None
        self._empty: Signs | None = None
        self._until = float("-inf")

    def look(self) -> bool:
        """Return whether an ingest would find nothing, since nothing has come after the last."""
        self._looked = signs()
        return self._looked is not None and self._looked == self._empty and not self._is_time()

    def note(self, found_nothing: bool) -> None:
        """Note what the ingest after the last look found."""
        self._empty = self._looked if found_nothing else None
        self._until = self._clock() + FULL_LOOK_SECONDS

    def _is_time(self) -> bool:
        return self._clock() >= self._until


def signs() -> Signs | None:
    """Return what changes with every event that comes; None if only an ingest can tell.

    Which is so in a cluster, where it would take a call for each partition.
    """
    try:
        log = get_log()
        if not isinstance(log, RedisLog) or log.is_cluster or SPILLED.all():
            return None
        return (log.prefix, *log.offsets(range(conf.COUNTERS_PARTITIONS)))
    except (LogError, Error):
        return None

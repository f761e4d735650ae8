"""Partitions whose cached pages a process does not use, since Redis has failed.

While Redis does not answer, pages come from the database, with counters that were never published.
What is cached in Redis shows less than that when it is back. So a process that has answered from
the database, and could not tell Redis, uses no cached page of that partition until Redis has
discarded them all; then no other process uses them either.
"""

import time
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from weakref import WeakMethod, ref

from footfall.eventlog import Away, LogError

FIRST_PAUSE = 0.05  # seconds between two tries
PAUSE_FACTOR = 1.1  # 5 s to the longest one
MAX_PAUSE = 0.5


class Distrust:
    """The set of these partitions. A thread empties it, in the background.

    discard: a method; it discards the cached pages of a partition, and raises LogError if Redis did
    not do it. It is tried until it has succeeded, or its object is gone.
    """

    def __init__(self, discard: Callable[[int], None]) -> None:
        self._discard = WeakMethod(discard)
        self._times: dict[int, int] = {}
        self._lock = Lock()
        self._thread: Thread | None = None

    def __contains__(self, partition: int) -> bool:
        return partition in self._times

    def add(self, partitions: Iterable[int]) -> None:
        """Distrust the pages that are cached now: discard them, even if it was just done."""
        with self._lock:
            for one in partitions:
                self._times[one] = self._times.get(one, 0) + 1
            if not self._times:
                return
            if self._thread is None or not self._thread.is_alive():  # not alive: after a fork
                self._thread = Thread(target=_run, args=(ref(self),), name="distrust", daemon=True)
                self._thread.start()

    def clear(self) -> None:
        with self._lock:
            self._times.clear()

    def discard_all(self) -> bool:
        """Try to discard what is distrusted; return whether all that was tried was done.

        In a cluster, one partition may fail while the servers of others answer.
        """
        done = True
        for partition, times in list(self._times.items()):
            discard = self._discard()
            if discard is None:
                self.clear()
                break
            try:
                discard(partition)
            except Away:
                return False
            except LogError:
                done = False
                continue
            with self._lock:
                if self._times.get(partition) == times:  # else it was added again meanwhile
                    del self._times[partition]
        return done

    def _is_over(self) -> bool:
        with self._lock:
            if not self._times:
                self._thread = None
            return not self._times


def _run(distrust: ref[Distrust]) -> None:
    """Discard until nothing is left, or nothing needs it any more."""
    pause = FIRST_PAUSE
    while (one := distrust()) is not None:
        pause = FIRST_PAUSE if one.discard_all() else min(PAUSE_FACTOR * pause, MAX_PAUSE)
        if one._is_over():
            return
        del one
        time.sleep(pause)

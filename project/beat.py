"""Celery beat, of which any number may run: one acts, the others stand by."""

import logging
import signal
import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.core.cache import cache
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

logger = logging.getLogger(__name__)

KEY = "beat"
TOLERANCE = timedelta(seconds=2)
LEASE = 5  # seconds; then another takes over from one that is dead or stopped


class OneOfMany(DatabaseScheduler):  # type: ignore[misc]  # django_celery_beat has no types
    """Sends ticks while it holds the lease, which is in the cache.

    While the cache is away each of them acts: a tick too many changes nothing, one too few would.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.name = uuid4().hex
        self.acts = False
        self.is_ending = False
        super().__init__(*args, **kwargs)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.end)

    def end(self, number: int, frame: Any) -> None:
        """End before the next tick; on a second signal, at once.

        Celery's own handler writes to the stores. Where the signal interrupts something that holds
        a lock of theirs, it waits for itself, for ever.
        """
        if self.is_ending:
            raise SystemExit
        self.is_ending = True

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Return the seconds until the next one. Raises SystemExit once a signal has come."""
        if self.is_ending:
            raise SystemExit
        if not self.leads():
            self.acts = False
            return LEASE / 5
        if not self.acts:
            self.acts = True
            self.take_over()
        self.mend_clock()
        return min(float(super().tick(*args, **kwargs)), LEASE / 5)

    def leads(self) -> bool:
        """Take the lease if it is free, keep it if it is held here."""
        try:
            if cache.add(KEY, self.name, LEASE):
                return True
            # Between the two it may end and be taken: then two act for a tick.
            return cache.get(KEY) == self.name and cache.touch(KEY, LEASE)
        except Exception as error:
            logger.debug("the cache is away, so this beat acts: %s", error)
            return True

    def take_over(self) -> None:
        """Read the entries anew: the one before has moved their last runs on."""
        self._schedule = None
        self._initial_read = True
        self._heap = None

    def mend_clock(self) -> None:
        """After a clock was set back, Celery would wait until the last run is past again."""
        now = timezone.now()
        for entry in self.schedule.values():
            if entry.last_run_at > now + TOLERANCE:
                entry.last_run_at = now
                self._heap = None

    def close(self) -> None:
        """End the lease with the process, so that no other beat waits for its end."""
        super().close()
        try:
            if self.acts and cache.get(KEY) == self.name:
                cache.delete(KEY)
        except Exception as error:
            logger.debug("the lease ends by itself: %s", error)

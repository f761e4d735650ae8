"""Finds files whose worker died: their heartbeat does not change any more.

No clock decides. This process measures by its monotonic clock for how long it has seen the same
heartbeat; what time the heartbeat names plays no part.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection

from django.conf import settings
from django.utils.translation import ngettext

from uploads.processing import claims
from uploads.processing.claims import Beat

logger = logging.getLogger(__name__)

REASON = "the worker died, or was killed"
LOOKS_PER_LEASE = 5


class Watch:
    """Measures for how long each heartbeat has not changed.

    A look counts for half a lease at most. So at least three looks see the same heartbeat, and a
    process that was stopped, perhaps with all the others, does not take its own pause for theirs.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = float("-inf")
        self._silence: dict[Beat, float] = {}

    def is_due(self, lease: float) -> bool:
        return self._clock() - self._last >= lease / LOOKS_PER_LEASE

    def look(self, beats: Collection[Beat], lease: float) -> list[Beat]:
        """Return which heartbeats have not changed for `lease` seconds."""
        now = self._clock()
        passed = min(now - self._last, lease / 2)
        self._last = now
        self._silence = {
            beat: self._silence[beat] + passed if beat in self._silence else 0.0 for beat in beats
        }
        return [beat for beat, seconds in self._silence.items() if seconds >= lease]


_watch = Watch()
_looking = threading.Lock()


def release_abandoned() -> int:
    """Look at the heartbeats if it is time to; return how many files are no longer claimed."""
    lease: float = settings.UPLOADS_LEASE_SECONDS
    if not _looking.acquire(blocking=False):
        return 0
    try:
        if not _watch.is_due(lease):
            return 0
        silent = _watch.look(claims.in_process(), lease)
    finally:
        _looking.release()
    return release(silent) if silent else 0


def release(silent: Collection[Beat]) -> int:
    """Make these files due again, or fail those in their last attempt; return how many."""
    again = claims.release(silent)
    failed = claims.give_up(silent, error_after(settings.UPLOADS_ATTEMPTS), REASON)
    if again or failed:
        logger.warning("the workers of %s files died; %s of them are given up", again, failed)
    return again + failed


def error_after(attempts: int) -> str:
    """Return what users are told about a file that was given up."""
    text = ngettext(
        "Processing failed after %d attempt. The file itself may be fine.",
        "Processing failed after %d attempts. The file itself may be fine.",
        attempts,
    )
    return text % attempts

"""Ticks of Celery beat that have waited together: a worker that was away finds thousands."""

import time
from collections.abc import Callable


class TickLimit:
    """Lets one tick through every so many seconds, by the clock of this process alone.

    A tick that is dropped is made up for by the next one.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._last = float("-inf")

    def allows(self) -> bool:
        """Tell whether the tick has something to do; if so, count from now on."""
        now = self._clock()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True

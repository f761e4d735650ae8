"""A circuit breaker: while a server is away, callers learn that without asking it."""

import time
from collections.abc import Callable
from threading import Lock


class CircuitBreaker:
    """Opens at a failure; then lets one call through every `reset_after` seconds, as a try.

    While it is closed, it costs one comparison and no lock.
    """

    def __init__(
        self, reset_after: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reset_after = reset_after
        self._clock = clock
        self._lock = Lock()
        self.is_open = False
        self._next_try = 0.0

    def allows(self) -> bool:
        """Return whether the caller may try; the caller must then call `succeeded` or `failed`."""
        if not self.is_open:
            return True
        with self._lock:
            if self._clock() < self._next_try:
                return False
            self._next_try = self._clock() + self._reset_after
            return True

    def succeeded(self) -> None:
        self.is_open = False

    def failed(self) -> None:
        with self._lock:
            self.is_open = True
            self._next_try = self._clock() + self._reset_after

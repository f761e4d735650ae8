"""One Redis server: the connections to it, and its circuit breaker."""

from collections.abc import Callable
from typing import TypeVar

from footfall.common.breaker import CircuitBreaker
from footfall.eventlog.connections import Replicas, connections
from footfall.eventlog.errors import Ambiguous, Away, Full, Redirected, Refused
from footfall.eventlog.producer import ProducerPool, unknown_day

T = TypeVar("T")


class Server:
    """Connections with one time-out.

    url: as for `connections`. timeout: in seconds.
    breaker: None to ask the server even if it did not answer before.
    day: as for `ProducerPool`. replicas: how many must have an event before it is acknowledged.
    """

    def __init__(
        self,
        url: str,
        timeout: float,
        breaker: CircuitBreaker | None = None,
        day: Callable[[], int] = unknown_day,
        replicas: int = 0,
    ) -> None:
        self.pool = connections(url, timeout)
        # Half of the time-out, so that the answer comes before the connection gives up.
        wanted = Replicas(replicas, max(1, int(timeout * 500))) if replicas else None
        self.producers = ProducerPool(self.pool, day, wanted)
        self._breaker = breaker

    def ask(self, key: str, do: Callable[["Server"], T]) -> T:
        """Return what `do` returns. Raises Refused if the circuit is open.

        key: any of the keys that `do` uses; only a cluster looks at it.
        """
        breaker = self._breaker
        if breaker is None:
            return do(self)
        if not breaker.allows():
            raise Refused("the circuit breaker is open")
        try:
            answer = do(self)
        except (Full, Redirected):
            breaker.succeeded()
            raise
        except (Refused, Ambiguous, Away):
            breaker.failed()
            raise
        breaker.succeeded()
        return answer

    def ask_all(self, do: Callable[["Server"], T]) -> list[T]:
        """Return what `do` returns at each server: here, there is one. Raises LogError."""
        return [self.ask("", do)]

    def close(self) -> None:
        self.producers.close()
        self.pool.disconnect()

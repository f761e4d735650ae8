"""The constant view, which runs all the time: how fast the machine is right now."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from loadtest.common.client import Load
from loadtest.common.figures import Median, percentile
from loadtest.common.ports import free_port
from loadtest.measure.plan import Plan
from loadtest.systems.approaches import CONSTANT
from loadtest.systems.processes import cpu_seconds
from loadtest.systems.servers import Place, Server

FAR = 0.15
"""Of the median: a measurement further away from it was disturbed."""


@dataclass(frozen=True)
class Slice:
    """One measurement of the constant view."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu: float
    """Seconds per 1,000 requests."""
    cpu_load: float
    """Of the load generator."""

    def as_json(self) -> dict[str, float]:
        return asdict(self)


class Yardstick:
    def __init__(self, place: Place, server: Server, plan: Plan) -> None:
        self.plan = plan
        self.address = "127.0.0.1", free_port()
        self.server = server
        server.start(place.web(CONSTANT, self.address[1]))
        server.wait_read(self.address, 1)
        self.measure()  # the first is a warm-up

    def measure(self) -> Slice:
        before, own = sum(cpu_seconds(self.server.roots).values()), time.process_time()
        run = Load(
            self.address, [1], self.plan.constant_seconds, connections=self.plan.connections
        ).run()
        thousands = max(1, len(run.latencies)) / 1000
        return Slice(
            run.rate, percentile(run.latencies, 50) * 1000, percentile(run.latencies, 99) * 1000,
            (sum(cpu_seconds(self.server.roots).values()) - before) / thousands,
            (time.process_time() - own) / thousands,
        )  # fmt: skip


def distance(some: Iterable[float], all_of_them: Iterable[float]) -> float:
    """Return how far the furthest of some rates is from the median of all, as a share of it."""
    middle = Median.of(list(all_of_them)).value
    return max((abs(rate / middle - 1) for rate in some), default=0.0)

"""Measures what different loads take, for the capacity model."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loadtest import drain, zipf
from loadtest.approaches import BY_NAME
from loadtest.bench import Bench, free_port, say, stores_in
from loadtest.capacity import Load, Point
from loadtest.client import Load as Requests
from loadtest.measure import HOT, Measurement, Plan
from loadtest.servers import PYTHON, Place, Server

SECONDS = 6.0  # of each load, and so flushes in it
PAGES = (1, 30, 300, 1_000, 3_000, 10_000)
SHARES = (0.15, 0.4)  # of what the machine can at most
TRIAL_SECONDS = 2.0


def sweep(directory: Path) -> dict[str, Any]:
    """Return the points, and what is known beside them."""
    approach = BY_NAME["footfall"]
    with ExitStack() as stack:
        stores = stack.enter_context(stores_in(directory))
        place = Place(directory, free_port(), stores, PYTHON)
        bench = Bench(place, Plan(), [approach])
        bench.prepare()
        measurement = bench.measurements(stack)[approach.name]
        points, bytes_per_event = measure(place, measurement)
        rate = drain.drain(place, measurement.site, measurement.redis_number, HOT)
    return {
        "points": [point.as_json() for point in points],
        "known": {"bytes_per_event": bytes_per_event, "drain_rate": rate},
    }


def measure(place: Place, measurement: Measurement) -> tuple[list[Point], float]:
    points = []
    with Server(place, measurement.programs) as server:
        measurement.start(server)
        for pages in PAGES:
            drawn = zipf.draw(measurement.site.pages[:pages], 200_000, seed=1)
            most = one(place, measurement, server, drawn, TRIAL_SECONDS, None).rate
            for share in SHARES:
                load = Load(most * share, pages)
                taken = one(place, measurement, server, drawn, SECONDS, load.rate)
                points.append(Point(Load(taken.rate, pages), *taken.costs))
                say(f"{pages:,} pages at {taken.rate:,.0f}/s: {taken.costs[0]:,.0f} rows/s")
    return points, measurement.bytes_per_event or 0.0


class Taken:
    """The rate that was reached, and rows, WAL bytes and processor seconds, each per second."""

    def __init__(self, rate: float, costs: tuple[float, float, float]) -> None:
        self.rate = rate
        self.costs = costs


def one(
    place: Place,
    measurement: Measurement,
    server: Server,
    pages: list[int],
    seconds: float,
    rate: float | None,
) -> Taken:
    """Read for some seconds, wait until all is counted, and divide what it took by the time."""
    measurement.site.settle()
    cpu, wal, started = server.cpu_seconds(), place.stores.wal_position(), time.monotonic()
    run = Requests(place.address, pages, seconds, rate=rate).run()
    measurement.site.ledger.add(run.ledger)
    verdict = measurement.site.settle()
    if not verdict:
        raise ValueError(f"lost {verdict.lost}, doubled {verdict.doubled}")
    elapsed = time.monotonic() - started
    written = place.stores.written(wal, place.stores.wal_position())
    taken = (written.rows, written.wal_bytes, server.cpu_seconds() - cpu)
    return Taken(len(run.latencies) / elapsed, tuple(x / elapsed for x in taken))  # type: ignore[arg-type]

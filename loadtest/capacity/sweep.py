"""Measures what different loads take, for the capacity model."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loadtest.bench.bench import make_footfall, say
from loadtest.capacity.model import Load, Point
from loadtest.common import zipf
from loadtest.common.client import Load as Requests
from loadtest.measure import drain
from loadtest.measure.measurement import DRAWN, HOT, Measurement
from loadtest.measure.plan import Plan
from loadtest.systems.approaches import BY_NAME
from loadtest.systems.servers import PYTHON, Place, Server, manage, run
from loadtest.systems.sites import Site
from loadtest.systems.stores import stores_in

SECONDS = 20.0  # of each load: what comes every ten seconds is in each of them, twice
PAGES = (1, 30, 200, 600, 1_500, 4_000)
RATES = (100.0, 400.0)  # reads per second that are tried for
FLUSHES = "SELECT number FROM counters_storehead"  # that have found something, so far


def sweep(directory: Path) -> dict[str, Any]:
    """Return the points, and what is known beside them."""
    approach, plan = BY_NAME["footfall"], Plan(pages=PAGES[-1])
    with ExitStack() as stack:
        stores = stack.enter_context(stores_in(directory))
        place = Place(directory, stores, PYTHON)
        make_footfall(place, plan)
        site = Site(stores, approach, plan.pages)
        stack.callback(site.close)
        measurement = Measurement(place, [approach], site, plan)
        points, bytes_per_event = measure(place, measurement)
        rate = drain.drain(place, site, HOT, plan.drained)
    return {
        "points": [point.as_json() for point in points],
        "known": {"bytes_per_event": bytes_per_event, "drain_rate": rate},
    }


def measure(place: Place, measurement: Measurement) -> tuple[list[Point], float]:
    points = []
    with Server(place.log) as server:
        measurement.start(server)
        for pages in PAGES:
            for rate in RATES:
                point = read(measurement, server, pages, rate)
                points.append(point)
                say(f"{pages:,} pages at {point.load.rate:,.0f}/s: {point.rows:,.0f} rows/s")
    return points, measurement.bytes_per_event or 0.0


def read(measurement: Measurement, server: Server, pages: int, rate: float) -> Point:
    """Read for some seconds, wait until all is counted, and divide what it took by the time.

    rate: that is tried for. Rate and interval of the point are what they were: on a busy machine
    there are fewer reads, and flushes come later.
    """
    site, stores, approach = measurement.site, measurement.place.stores, measurement.site.approach
    drawn = zipf.draw(site.pages[:pages], DRAWN, seed=1)
    run(manage(measurement.place.environment(approach), "counters", "flush"))  # rollups, too
    site.settle()
    cpu, wal = measurement.cpu(server, approach), stores.wal_position()
    flushes = stores.execute(approach.site, FLUSHES)[0][0]
    started = time.monotonic()
    done = Requests(measurement.addresses[approach.name], drawn, SECONDS, rate=rate).run()
    site.ledger.add(done.ledger)
    verdict = site.settle()
    if not verdict:
        raise ValueError(f"lost {verdict.lost}, doubled {verdict.doubled}")
    elapsed = time.monotonic() - started
    cores = (sum(measurement.cpu(server, approach).values()) - sum(cpu.values())) / elapsed
    flushes = stores.execute(approach.site, FLUSHES)[0][0] - flushes
    written = stores.written(approach.site, wal, stores.wal_position())
    return Point(
        Load(len(done.latencies) / elapsed, pages, interval=elapsed / max(1, flushes)),
        rows=written.rows.total() / elapsed,
        wal_bytes=written.wal.total() / elapsed,  # whole pages depend on when a checkpoint was
        cores=cores,
    )

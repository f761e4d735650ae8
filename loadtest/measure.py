"""One approach in one repetition: started, read from, checked, ended."""

import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtest import zipf
from loadtest.approaches import Approach
from loadtest.client import Load, Run
from loadtest.figures import percentile
from loadtest.freshness import Probe
from loadtest.servers import Place, Server
from loadtest.sites import Site

LOADS = HOT, ZIPF = "hot", "zipf"
WARM_SECONDS = 0.5
WARM_MOST = 120.0  # seconds that reading every page once may take
PREPARED_SECONDS = 180.0  # for which a prepared page is surely kept (PREPARED_SECONDS * 0.8)
DRAWN = 200_000  # pages in the list that a Zipf load reads in turn
BACKLOG_EVENTS = 1_000  # that wait in Redis when their size is measured


@dataclass
class Figures:
    """One load on one approach. Per view: of a page, which is a view of 15 contents."""

    approach: str
    load: str
    repetition: int
    requests: int = 0
    rate: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    cpu_seconds_per_1000: float = 0.0
    rows_per_view: float = 0.0
    hot_rows_share: float = 0.0
    wal_bytes_per_view: float = 0.0
    full_page_bytes_per_view: float = 0.0
    """Of the WAL: a short run soon after a checkpoint has more of them than a day has."""
    freshness_p99_s: float | None = None
    redis_bytes_per_event: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """How long and how much is read."""

    seconds: float = 3.0
    slow_seconds: float = 5.0
    freshness_seconds: float = 4.0
    connections: int = 16
    seed: int = 1


class Measurement:
    """One approach, with its processes running only while it is measured."""

    def __init__(
        self, place: Place, approach: Approach, site: Site, redis_number: int, plan: Plan
    ) -> None:
        self.place = place
        self.approach = approach
        self.site = site
        self.redis_number = redis_number
        self.plan = plan
        self.programs = place.programs(approach, redis_number)
        self.pages = {
            HOT: [site.hot],
            ZIPF: zipf.draw(site.pages, DRAWN, seed=plan.seed),
        }
        self.bytes_per_event: float | None = None

    def repeat(self, repetition: int, order: random.Random) -> list[Figures]:
        """Measure both loads once; the first time freshness and the size of an event as well."""
        found = []
        with Server(self.place, self.programs) as server:
            self.start(server)
            for load in order.sample(LOADS, len(LOADS)):
                figures = self._measure(server, load)
                figures.repetition = repetition
                if repetition == 0:
                    figures.redis_bytes_per_event = self.bytes_per_event
                    figures.freshness_p99_s = self._freshness(load, figures.rate)
                found.append(figures)
        return found

    def start(self, server: Server) -> None:
        """Start the processes, the web server first; return when all of them work."""
        server.start({"web"})
        page = self.site.hot
        self._note(page, server.wait_ready(page))
        self._warm_up()
        server.start()
        self._settle()

    def _settle(self) -> None:
        """Wait until what is read beside the measurement is counted; raise ValueError if not."""
        if not (verdict := self.site.settle()):
            raise ValueError(f"before the measurement: {verdict}")

    def _note(self, page: int, body: bytes) -> None:
        if body.count(b'"counter"') != 15:
            raise ValueError(f"{self.approach.title}: not a page of 15 contents: {body[:200]!r}")
        self.site.ledger.attempted[page] += 1
        self.site.ledger.answered[page] += 1

    def _load(self, pages: list[int], seconds: float, **options: Any) -> Run:
        run = Load(
            self.place.address, pages, seconds, connections=self.plan.connections, **options
        ).run()
        self.site.ledger.add(run.ledger)
        return run

    def _warm_up(self) -> None:
        """Fill what there is to fill, and weigh the events while nobody takes them out.

        Of Footfall every page is read once, as often as what it prepares may have expired.
        """
        if not self.approach.peer and time.monotonic() > self.place.prepared_until:
            self._load(self.site.pages, WARM_MOST, most=len(self.site.pages))
            self.place.prepared_until = time.monotonic() + PREPARED_SECONDS
        self._load([self.site.hot], 5.0, most=100)
        if self.bytes_per_event is None and self.approach.logs:
            self._weigh()

    def _weigh(self) -> None:
        before = self.place.stores.memory(self.redis_number)
        run = self._load([self.site.hot], 5.0, most=BACKLOG_EVENTS)
        grown = self.place.stores.memory(self.redis_number) - before
        self.bytes_per_event = grown / max(1, len(run.latencies))

    def _measure(self, server: Server, load: str) -> Figures:
        slow, stores = self.approach.slow, self.place.stores
        self._load(self.pages[load], WARM_SECONDS)
        self._settle()
        cpu, wal = server.cpu_seconds(), stores.wal_position()
        run = self._load(self.pages[load], self.plan.slow_seconds if slow else self.plan.seconds)
        verdict = self.site.settle()
        cpu, written = server.cpu_seconds() - cpu, stores.written(wal, stores.wal_position())
        views = max(1, len(run.latencies))
        return Figures(
            self.approach.name, load, 0, views, run.rate,
            percentile(run.latencies, 50) * 1000, percentile(run.latencies, 99) * 1000,
            dict(run.errors), verdict.lost, verdict.doubled, cpu * 1000 / views,
            written.rows / views, written.hot_rows / max(1, written.rows),
            written.wal_bytes / views, written.full_page_bytes / views,
        )  # fmt: skip

    def _freshness(self, load: str, rate: float) -> float | None:
        if not self.approach.counting:
            return None
        probe = Probe(self.site, self.place.address)
        probe.start()
        try:
            self._load(self.pages[load], self.plan.freshness_seconds, rate=rate / 2)
        finally:
            delays = probe.stop()
        self._settle()
        return percentile(delays, 99)

"""The approaches of one site in one repetition: started, warmed up, read from, checked, ended."""

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.common import zipf
from loadtest.common.client import Load, Run
from loadtest.common.ports import free_port
from loadtest.measure.columns import COLUMNS
from loadtest.measure.freshness import Probe
from loadtest.measure.observation import Observation
from loadtest.measure.plan import Plan
from loadtest.measure.yardstick import Slice, Yardstick
from loadtest.systems.approaches import Approach
from loadtest.systems.processes import cpu_seconds
from loadtest.systems.servers import Address, Place, Server
from loadtest.systems.sites import Site

LOADS = HOT, ZIPF = "hot", "zipf"
COLD = "cold"  # the first read of every page
COLD_MOST = 900.0  # seconds that reading every page once may take
DRAWN = 200_000  # pages in the list that a Zipf load reads in turn
BACKLOG_EVENTS = 1_000  # that wait in Redis when their size is measured
TICKED = "SELECT coalesce(max(last_run_at) > %s, false) FROM django_celery_beat_periodictask"

Figures = dict[str, Any]


@dataclass
class Repetition:
    """What came of one repetition."""

    figures: list[Figures] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    """Of the constant view, in the same minutes."""

    @property
    def constants(self) -> list[float]:
        return [one.rate for one in self.slices]


class Measurement:
    """The approaches of one site, with their processes running only while they are measured."""

    def __init__(
        self,
        place: Place,
        approaches: Sequence[Approach],
        site: Site,
        plan: Plan,
    ) -> None:
        self.place = place
        self.approaches = approaches
        self.site = site
        self.plan = plan
        self.pages = {
            HOT: [site.hot],
            ZIPF: zipf.draw(site.pages, DRAWN, seed=plan.seed),
        }
        self.addresses: Mapping[str, Address] = {
            approach.name: ("127.0.0.1", free_port()) for approach in approaches
        }
        self.bytes_per_event: float | None = None
        self.cold: Figures | None = None

    def repeat(self, repetition: int, order: random.Random, yardstick: Yardstick) -> Repetition:
        """Measure both loads of each approach once, in another order each time."""
        loads = [(approach, load) for approach in self.approaches for load in LOADS]
        found = Repetition(slices=[yardstick.measure()])
        with Server(self.place.log) as server:
            self.start(server)
            for approach, load in order.sample(loads, len(loads)):
                observed = self.take(server, approach, load)
                found.slices.append(yardstick.measure())
                observed.constant_rate = sum(found.constants[-2:]) / 2
                if approach.counting and (not approach.peer or repetition == 0):
                    observed.freshness = self._freshness(approach, load, observed.run.rate / 2)
                found.figures.append(figures(approach, load, repetition, observed))
        return found

    def start(self, server: Server) -> None:
        """Start the processes; return when all of them work, and all caches are filled."""
        first = self.site.approach
        for approach in self.approaches:
            server.start(self.place.web(approach, self.addresses[approach.name][1]))
        for approach in self.approaches:
            self._note(server, approach)
        if self.bytes_per_event is None and first.logs:
            self._weigh()
        started = time.time()
        server.start(*self.place.workers(first))
        server.wait_workers(self.place.stores.broker_url(self.place.redis_number(first)))
        if not first.peer:
            server.wait(lambda: self._has_ticked(started), "Celery beat to tick")
            self._read_every_page(server)
        self._settle()

    def _has_ticked(self, since: float) -> bool:
        statement = TICKED.replace("%s", "to_timestamp(%s)")
        return bool(self.place.stores.execute(self.site.approach.site, statement, since)[0][0])

    def _settle(self) -> None:
        """Wait until all reads outside of the measurement are counted; raise ValueError if not."""
        if self.site.approach.counting and not (verdict := self.site.settle()):
            raise ValueError(f"before the measurement: {verdict}")

    def _note(self, server: Server, approach: Approach) -> None:
        """Read a page until there is an answer; it must be like the others' answers."""
        page = self.site.hot
        body = server.wait_read(self.addresses[approach.name], page)
        if body.count(b'"counter"') != 15:
            raise ValueError(f"{approach.title}: not a page of 15 contents: {body[:200]!r}")
        self.site.ledger.attempted[page] += approach.counting
        self.site.ledger.answered[page] += approach.counting

    def read(self, approach: Approach, load: str, seconds: float, **options: Any) -> Run:
        """Carry out one load; what was read is in the ledger."""
        return self._read(approach, self.pages[load], seconds, **options)

    def _read(self, approach: Approach, pages: list[int], seconds: float, **options: Any) -> Run:
        address, connections = self.addresses[approach.name], self.plan.connections
        run = Load(address, pages, seconds, connections=connections, **options).run()
        if approach.counting:
            self.site.ledger.add(run.ledger)
        return run

    def _read_every_page(self, server: Server) -> None:
        """Cache every page, and let a new flusher learn where the copies of counters are."""
        before = self.cpu(server, self.site.approach)
        run = self._read(self.site.approach, self.site.pages, COLD_MOST, most=len(self.site.pages))
        verdict = self.site.settle()
        if run.errors or len(run.latencies) < len(self.site.pages):
            raise ValueError(f"not every page could be read: {dict(run.errors)}")
        if self.cold is None:
            cpu = self.cpu(server, self.site.approach)
            observed = Observation(run, verdict, {name: cpu[name] - before[name] for name in cpu})
            observed.constant_rate = math.nan
            self.cold = figures(self.site.approach, COLD, 0, observed)

    def _weigh(self) -> None:
        """Weigh the events while no flush takes them out."""
        number = self.place.redis_number(self.site.approach)
        before = self.place.stores.memory(number)
        run = self._read(self.site.approach, [self.site.hot], 5.0, most=BACKLOG_EVENTS)
        grown = self.place.stores.memory(number) - before
        self.bytes_per_event = grown / max(1, len(run.latencies))

    def take(self, server: Server, approach: Approach, load: str) -> Observation:
        """Warm up with the same load, wait until all of that is counted, and measure."""
        stores, plan = self.place.stores, self.plan
        stores.execute("postgres", "CHECKPOINT")  # each load begins as far from one as the next
        self.read(approach, load, plan.peer_warm_seconds if approach.peer else plan.warm_seconds)
        self._settle()
        wal, cpu, own = stores.wal_position(), self.cpu(server, approach), time.process_time()
        run = self.read(approach, load, self._seconds(approach))
        own = time.process_time() - own
        verdict = self.site.settle() if approach.counting else None
        now = self.cpu(server, approach)
        return Observation(
            run,
            verdict,
            {name: now[name] - cpu[name] for name in now},
            own,
            stores.written(approach.site, wal, stores.wal_position()),
            bytes_per_event=self.bytes_per_event if approach.logs else None,
        )

    def _seconds(self, approach: Approach) -> float:
        if approach.peer:
            return self.plan.peer_seconds
        return self.plan.written_seconds if approach.counting else self.plan.seconds

    def cpu(self, server: Server, approach: Approach) -> Mapping[str, float]:
        """Return the processor seconds of each program so far, without other rows' web servers."""
        own = f"web of {approach.name}"
        roots = {"web" if name == own else name: pid for name, pid in server.roots.items()}
        roots = {name: pid for name, pid in roots.items() if not name.startswith("web of ")}
        return cpu_seconds({**roots, **self.place.stores.roots})

    def _freshness(self, approach: Approach, load: str, rate: float) -> list[float]:
        probe = Probe(self.site, self.addresses[approach.name])
        probe.start()
        try:
            self.read(approach, load, self.plan.freshness_seconds, rate=rate)
        finally:
            delays = probe.stop()
        self._settle()
        return delays


def figures(approach: Approach, load: str, repetition: int, observed: Observation) -> Figures:
    """Return what every column says of one load."""
    told = {column.key: column.figure(observed) for column in COLUMNS}
    return {"approach": approach.name, "load": load, "repetition": repetition, **told}

"""`python -m loadtest.profile`: where the time of a read goes, of one hot page and under Zipf.

Both loads are measured in turn, alone, and then once more while py-spy looks at the flusher and
perf (Debian: linux-perf) at web server, Redis and PostgreSQL. Prints Markdown.
"""

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from loadtest.bench.bench import make_footfall, say
from loadtest.bench.report import TITLES, markdown
from loadtest.common.figures import Median, short
from loadtest.measure.columns import PROGRAMS
from loadtest.measure.measurement import HOT, LOADS, Measurement
from loadtest.measure.observation import Observation
from loadtest.measure.plan import Plan
from loadtest.profile.profilers import (
    RATE,
    Steps,
    perf,
    py_spy,
    steps_of_flush,
    steps_of_processor,
    system_call_or_file,
)
from loadtest.systems.approaches import BY_NAME
from loadtest.systems.processes import family
from loadtest.systems.servers import PYTHON, Place, Server
from loadtest.systems.sites import Site
from loadtest.systems.stores import stores_in
from standalone.configuration import ROOT, lock_data_dir

APPROACH = BY_NAME["footfall"]
OBSERVED = ("web", "redis", "postgres")
LEAST = 0.01  # of the greatest row: smaller ones are left out
Costs = dict[str, dict[str, float]]
"""By row of a table and load."""


class Profile:
    """What was seen of both loads, on a Footfall that is warm."""

    def __init__(self, measurement: Measurement, server: Server) -> None:
        self.measurement = measurement
        self.server = server
        self.stores = measurement.place.stores
        self.observed: dict[str, list[Observation]] = {load: [] for load in LOADS}
        self.commands: dict[str, Steps] = {load: Counter() for load in LOADS}
        self.flush: Costs = {}
        self.processors: dict[str, Costs] = {}

    def alone(self, load: str) -> None:
        """Measure a load, and what Redis says of its commands meanwhile."""
        before = self._commands()
        self.observed[load].append(self.measurement.take(self.server, APPROACH, load))
        self.commands[load] += self._commands() - before
        say(f"{load}: {self.observed[load][-1].run.rate:,.0f}/s")

    def divided(self, load: str) -> None:
        """Run a load once more, with the profilers."""
        seconds = self.measurement.plan.seconds
        roots = {**self.server.roots, **self.stores.roots}
        roots["web"] = roots[f"web of {APPROACH.name}"]
        spy = py_spy(roots["flusher"], seconds)
        perfs = {name: perf([one.pid for one in family(roots[name])], seconds) for name in OBSERVED}
        reads = len(self.measurement.read(APPROACH, load, seconds).latencies)
        steps = steps_of_flush(spy.wait())
        divide(self.flush, load, steps, steps.total() / RATE * 1_000_000 / max(1, reads))
        for name, profiler in perfs.items():
            if profiler:
                steps = steps_of_processor(profiler.wait(), system_call_or_file)
                divide(self.processors.setdefault(name, {}), load, steps, self.spent(load, name))

    def cost(self, load: str, figure: Callable[[Observation], float]) -> float:
        """Return the median of a figure, which is milliseconds, in microseconds."""
        return Median.of([figure(one) for one in self.observed[load]]).value * 1000

    def spent(self, load: str, program: str) -> float:
        return self.cost(load, lambda one: one.cpu_per_1000(program))

    def _commands(self) -> "Counter[str]":
        """Return calls and microseconds of every command since Redis was started."""
        found: Counter[str] = Counter()
        for name, told in self.stores.command_statistics().items():
            found[f"{name}: calls"] += told["calls"]
            found[f"{name}: us"] += told["usec"]
        return found

    def text(self) -> str:
        parts = [
            f"Microseconds per read; medians of {len(self.observed[HOT])} loads each.",
            "**Processor time by process**", table("", self._by_process()),
            "**Redis, by its own clock**", table("command", self._by_command("us")),
            "**Calls of Redis**, per read", table("command", self._by_command("calls")),
            "**Ingest and projections, by the clock** (they wait for PostgreSQL and Redis in it)",
            table("step", self.flush),
        ]  # fmt: skip
        for name, costs in self.processors.items():
            parts += [f"**Processor time of {name}**", table("where", costs)]
        return "\n\n".join(parts)

    def _by_process(self) -> Costs:
        found: Costs = {}
        for load in LOADS:
            programs = self.observed[load][0].cpu.keys()
            told = {name: self.spent(load, name) for name in PROGRAMS}
            told["rest"] = sum(self.spent(load, name) for name in programs - {*PROGRAMS})
            told["the load"] = self.cost(load, lambda one: one.load_cpu / one.thousands)
            told["all"] = sum(told.values())
            clock = self.cost(load, lambda one: 1000 / one.run.rate)
            told["the cores, by the clock"] = clock * (os.cpu_count() or 1)
            for name, microseconds in told.items():
                found.setdefault(name, {})[load] = microseconds
        return found

    def _by_command(self, unit: str) -> Costs:
        """Return calls, or microseconds, of each command per read. A script's has its own in it."""
        found: Costs = {}
        for load in LOADS:
            counted = self.commands[load]
            for name, number in counted.items():
                command, _, of = name.partition(": ")
                if of == unit:
                    reads = counted["xadd: calls"]  # one for each
                    found.setdefault(command, {})[load] = number / reads
        return found


def divide(costs: Costs, load: str, steps: Steps, whole: float) -> None:
    """Divide `whole` by the samples of each step."""
    for step, samples in steps.items():
        costs.setdefault(step, {})[load] = whole * samples / steps.total()


def table(head: str, costs: Costs) -> str:
    """Return a row for each that is no trifle, with what Zipf adds; the most of it first."""
    most = max((max(each.values()) for each in costs.values()), default=0.0)
    lines = []
    for name, each in costs.items():
        hot, spread = (each.get(load, 0.0) for load in LOADS)
        if max(hot, spread) >= LEAST * most:
            lines.append((spread - hot, [name, *map(short, (hot, spread, spread - hot))]))
    ordered = [line for _, line in sorted(lines, key=lambda one: -one[0])]
    return markdown([[head, *(TITLES[load] for load in LOADS), "more"], *ordered])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.profile", description=__doc__)
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "bench")
    parser.add_argument("--quick", action="store_true", help="does it work? No figures to quote")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    directory: Path = wanted.directory.resolve()
    plan = Plan.quick() if wanted.quick else Plan()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so out of every context
    with ExitStack() as stack:
        stack.enter_context(lock_data_dir(directory))
        place = Place(directory, stack.enter_context(stores_in(directory)), PYTHON)
        make_footfall(place, plan)
        site = Site(place.stores, APPROACH, plan.pages)
        stack.callback(site.close)
        server = stack.enter_context(Server(place.log))
        profile = Profile(Measurement(place, [APPROACH], site, plan), server)
        profile.measurement.start(server)
        for _ in range(plan.repetitions):
            for load in LOADS:
                profile.alone(load)
        for load in LOADS:
            profile.divided(load)
        print(profile.text())
    return 0

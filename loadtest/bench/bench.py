"""`make bench`: Footfall beside other ways to count views, on this machine, in one run."""

import argparse
import json
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loadtest.bench import report
from loadtest.bench.aims import exact
from loadtest.common.launcher import NotReady
from loadtest.common.plot import bars
from loadtest.measure import drain
from loadtest.measure.idle import idle
from loadtest.measure.measurement import LOADS, Measurement, Repetition
from loadtest.measure.plan import Plan
from loadtest.measure.yardstick import FAR, Yardstick, distance
from loadtest.systems.approaches import APPROACHES, BY_NAME, CONSTANT, Approach, side_by_side
from loadtest.systems.servers import PYTHON, Place, Server, manage, peers_admin, run
from loadtest.systems.sites import Site
from loadtest.systems.stores import Stores, stores_in
from standalone.configuration import ROOT, lock_data_dir

DRAIN_SECONDS = 60.0  # that are kept for the end
FOOTFALL = "footfall"
TEMPLATE = CONSTANT.site  # the first of the peers' databases: the others are copies of it


class Bench:
    """The rows, their places, and what was measured so far."""

    def __init__(self, place: Place, plan: Plan, approaches: dict[str, list[Approach]]) -> None:
        self.place = place
        self.plan = plan
        self.approaches = approaches
        self.done: dict[tuple[str, int], Repetition] = {}
        """By site and number of the repetition."""
        self.notes: list[str] = []
        self.failed: dict[str, str] = {}
        self.drain: dict[str, list[dict[str, float]]] = {load: [] for load in LOADS}
        self.idle: dict[str, object] = {}
        self.took: dict[str, float] = {}
        self.measurements: dict[str, Measurement] = {}

    def prepare(self, stack: ExitStack) -> None:
        """Make the databases: Footfall's own with its own commands, and equal ones of the peers."""
        stores, wanted = self.place.stores, {TEMPLATE, *self.approaches}
        if FOOTFALL in wanted:
            make_footfall(self.place, self.plan)
        stores.create_database(TEMPLATE)
        admin = ("migrate", "--run-syncdb", "--verbosity", "0")
        run(peers_admin(self.place.peers, self.place.environment(CONSTANT), *admin))
        script = ROOT / "loadtest" / "peers" / "populate.sql"
        stores.execute(TEMPLATE, script.read_text())
        for name in sorted(wanted - {FOOTFALL, TEMPLATE}):
            stores.create_database(name, TEMPLATE)
        for name in sorted(wanted - {FOOTFALL}):
            stores.execute(name, "VACUUM (ANALYZE)")
        for name, approaches in self.approaches.items():
            counting = next((one for one in approaches if one.counting), approaches[0])
            site = Site(stores, counting, self.plan.pages)
            stack.callback(site.close)
            self.measurements[name] = Measurement(self.place, approaches, site, self.plan)

    def repeat(self, yardstick: Yardstick, end: float) -> None:
        """Measure every row so often, in another order each time, as long as there is time."""
        order = random.Random(self.plan.seed)
        for repetition in range(self.plan.repetitions):
            for site in order.sample(sorted(self.approaches), len(self.approaches)):
                if site in self.failed or repetition >= self.approaches[site][0].repetitions:
                    continue
                if repetition and not self.has_time(site, end):
                    self.note(f"{site}: no time for repetition {repetition + 1}")
                elif found := self.measure(site, repetition, order, yardstick):
                    self.done[site, repetition] = found
        self.repeat_disturbed(yardstick, order, end)

    def has_time(self, site: str, end: float) -> bool:
        return time.monotonic() + self.took[site] + DRAIN_SECONDS < end

    def measure(
        self, site: str, repetition: int, order: random.Random, yardstick: Yardstick
    ) -> Repetition | None:
        started = time.monotonic()
        try:
            found = self.measurements[site].repeat(repetition, order, yardstick)
        except (NotReady, OSError, ValueError) as error:
            self.failed[site] = str(error)
            say(f"{site}: {error}")
            return None
        self.took[site] = time.monotonic() - started
        rates = ", ".join(
            f"{one['approach']} {one['load']} {one['rate']:,.0f}/s" for one in found.figures
        )
        constants = ", ".join(f"{one:,.0f}" for one in found.constants)
        say(f"repetition {repetition + 1}: {rates}; constant {constants} ({self.took[site]:.0f} s)")
        return found

    def disturbed(self) -> Iterator[tuple[str, int, float]]:
        """Yield what was measured while the constant view was far from its median, worst first."""
        every = [rate for one in self.done.values() for rate in one.constants]
        found = [(*key, distance(one.constants, every)) for key, one in self.done.items()]
        yield from sorted((one for one in found if one[2] > FAR), key=lambda one: -one[2])

    def repeat_disturbed(self, yardstick: Yardstick, order: random.Random, end: float) -> None:
        """Measure again what was measured on a disturbed machine, and keep the calmer one."""
        repeats: dict[tuple[str, int], int] = {}
        while due := [
            (site, repetition, off)
            for site, repetition, off in self.disturbed()
            if repeats.get((site, repetition), 0) < self.plan.repeats and self.has_time(site, end)
        ]:
            site, repetition, off = due[0]
            repeats[site, repetition] = repeats.get((site, repetition), 0) + 1
            self.note(
                f"{site}, repetition {repetition + 1} was disturbed: the constant view"
                f" was {off:.0%} from its median. It was measured again."
            )
            again = self.measure(site, repetition, order, yardstick)
            every = [rate for one in self.done.values() for rate in one.constants]
            if again and distance(again.constants, every) < off:
                self.done[site, repetition] = again
        for site, repetition, off in self.disturbed():
            self.note(f"{site}, repetition {repetition + 1} stays, {off:.0%} from the median.")

    def measure_drain(self) -> None:
        """Measure how fast a backlog is counted, and check that it was counted rightly."""
        footfall, peer = self.measurements.get(FOOTFALL), self.measurements.get("increment")
        if footfall is None or FOOTFALL in self.failed:
            return
        for _ in range(self.plan.repetitions):
            for load in LOADS:
                rate = drain.drain(self.place, footfall.site, load, self.plan.drained)
                verdict = footfall.site.settle()
                found = {"batched": rate, "lost": verdict.lost, "doubled": verdict.doubled}
                if peer is not None:
                    found["one_by_one"] = drain.one_by_one(peer.site, load)
                self.drain[load].append(found)
                say(f"drain, {load}: {rate:,.0f} events/s")

    def measure_idle(self) -> None:
        found = idle(self.place.directory / "idle", self.plan.idle_seconds)
        self.idle = found.as_json()
        say(f"idle: {self.idle}")

    def note(self, text: str) -> None:
        self.notes.append(text)
        say(text)

    def as_json(self) -> dict[str, Any]:
        cold = [one.cold for one in self.measurements.values() if one.cold]
        return {
            "machine": {"cores": os.cpu_count(), "system": platform.platform()},
            "python": platform.python_version(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "pages": self.plan.pages,
            "figures": [*cold, *(one for each in self.done.values() for one in each.figures)],
            "constants": [one.as_json() for each in self.done.values() for one in each.slices],
            "drain": self.drain,
            "idle": self.idle,
            "notes": self.notes,
            "failed": self.failed,
        }


def make_footfall(place: Place, plan: Plan) -> None:
    """Make Footfall's database, with its own commands; the last page is the probe."""
    environment = place.environment(BY_NAME[FOOTFALL])
    run(manage(environment, "migrate", "--verbosity", "0"))
    run(manage(environment, "populate", "--pages", str(plan.pages + 1)))
    place.stores.execute(FOOTFALL, "VACUUM (ANALYZE)")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "bench")
    parser.add_argument("--peers", type=Path, default=PYTHON, help="the Python that has theirs")
    parser.add_argument("--minutes", type=float, default=30.0, help="that repeats may take it to")
    parser.add_argument("--quick", action="store_true", help="does it work? No figures to quote")
    parser.add_argument("--into", type=Path, help="a file of docs that gets the tables, too")
    names = [approach.name for approach in APPROACHES]
    parser.add_argument("--rows", nargs="+", choices=names, default=names)
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    end = time.monotonic() + wanted.minutes * 60
    directory: Path = wanted.directory.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so out of every context
    plan = Plan.quick() if wanted.quick else Plan()
    with ExitStack() as stack:
        stack.enter_context(lock_data_dir(directory))
        stores: Stores = stack.enter_context(stores_in(directory))
        place = Place(directory, stores, wanted.peers)
        place.log.unlink(missing_ok=True)
        bench = Bench(place, plan, side_by_side(wanted.rows))
        bench.measure_idle()
        say(f"making {plan.pages:,} pages with 15 contents each, for each way of counting them")
        bench.prepare(stack)
        yardstick = Yardstick(place, stack.enter_context(Server(place.log)), plan)
        bench.repeat(yardstick, end)
        bench.measure_drain()
    found = bench.as_json()
    (directory / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    (directory / "bench.svg").write_text(bars(*report.to_plot(found)))
    print(report.text(found))
    if wanted.into:
        report.write_into(wanted.into, report.text(found))
    say(f"\nwritten: {directory / 'results.json'}, {directory / 'bench.svg'}")
    return 1 if bench.failed or not exact(found) else 0

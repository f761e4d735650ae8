"""`make bench`: Footfall beside what one would use instead, on this machine, in one run."""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from loadtest import drain, report
from loadtest.approaches import APPROACHES, BY_NAME, Approach
from loadtest.measure import LOADS, Figures, Measurement, Plan
from loadtest.plot import bars
from loadtest.servers import PYTHON, NotReady, Place, manage, peers_admin, run
from loadtest.sites import PAGES, Site
from loadtest.stores import Stores
from standalone.configuration import ROOT, check_port, only_user

DRAIN_SECONDS = 25.0  # that are kept for the end
TEMPLATE = "constant"  # the first of the peers' databases: the others are copies of it


class Bench:
    """The rows, their places, and what was measured so far."""

    def __init__(self, place: Place, plan: Plan, approaches: list[Approach]) -> None:
        self.place = place
        self.plan = plan
        self.approaches = approaches
        self.figures: list[Figures] = []
        self.failed: dict[str, str] = {}
        self.drain: dict[str, dict[str, float]] = {}
        self.took: dict[str, float] = {}

    def numbers(self) -> dict[str, int]:
        """Return which of Redis' numbered databases each site has."""
        sites = dict.fromkeys(approach.site for approach in APPROACHES)
        return {site: number for number, site in enumerate(sites)}

    def prepare(self) -> None:
        """Make the databases: Footfall's own with its own commands, and equal ones of the peers."""
        stores, wanted = self.place.stores, {approach.site for approach in self.approaches}
        if "footfall" in wanted:
            run(manage(self._environment("footfall"), "migrate", "--verbosity", "0"))
            pages = str(PAGES + 1)
            run(manage(self._environment("footfall"), "populate", "--pages", pages))
        if wanted - {"footfall"}:
            stores.create_database(TEMPLATE)
            environment = self._environment("constant")
            admin = ("migrate", "--run-syncdb", "--verbosity", "0")
            run(peers_admin(self.place.peers, environment, *admin))
            script = ROOT / "loadtest" / "peers" / "populate.sql"
            stores.execute(TEMPLATE, script.read_text())
            for site in sorted(wanted - {"footfall", TEMPLATE}):
                stores.create_database(site, TEMPLATE)
        for site in wanted:
            stores.execute(site, "VACUUM (ANALYZE)")

    def _environment(self, name: str) -> dict[str, str]:
        approach = BY_NAME[name]
        return self.place.environment(approach, self.numbers()[approach.site])

    def measurements(self, stack: ExitStack) -> dict[str, Measurement]:
        made: dict[str, Measurement] = {}
        for approach in self.approaches:
            site = Site(self.place.stores, approach)
            stack.callback(site.close)
            number = self.numbers()[approach.site]
            made[approach.name] = Measurement(self.place, approach, site, number, self.plan)
        return made

    def repeat(self, measurements: dict[str, Measurement], repetitions: int, end: float) -> None:
        """Measure every row so often, in another order each time, as long as there is time."""
        order = random.Random(self.plan.seed)
        for repetition in range(repetitions):
            for name in order.sample(sorted(measurements), len(measurements)):
                slow = BY_NAME[name].slow
                if name in self.failed or (slow and repetition):
                    continue
                if repetition and time.monotonic() + self.took[name] + DRAIN_SECONDS > end:
                    say(f"{name}: no time for repetition {repetition + 1}")
                    continue
                self.measure(measurements[name], repetition, order)

    def measure(self, measurement: Measurement, repetition: int, order: random.Random) -> None:
        name, started = measurement.approach.name, time.monotonic()
        try:
            found = measurement.repeat(repetition, order)
        except (NotReady, OSError, ValueError) as error:
            self.failed[name] = str(error)
            say(f"{name}: {error}")
            return
        self.figures += found
        took = time.monotonic() - started
        self.took[name] = took  # the first time with more in it: a cautious guess for the second
        rates = ", ".join(f"{one.load} {one.rate:,.0f}/s" for one in found)
        say(f"{name}, repetition {repetition + 1}: {rates} ({took:.0f} s)")

    def measure_drain(self, measurements: dict[str, Measurement]) -> None:
        """Measure how fast a backlog is counted, and check that it was counted rightly."""
        footfall, peer = measurements.get("footfall"), measurements.get("increment")
        if footfall is None or "footfall" in self.failed:
            return
        for load in LOADS:
            rate = drain.drain(self.place, footfall.site, footfall.redis_number, load)
            verdict = footfall.site.settle()
            found = {"batched": rate, "lost": verdict.lost, "doubled": verdict.doubled}
            if peer is not None:
                found["one_by_one"] = drain.one_by_one(peer.site, load)
            self.drain[load] = found
            say(f"drain, {load}: {rate:,.0f} events/s")

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": {"cores": os.cpu_count(), "system": platform.platform()},
            "python": platform.python_version(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "figures": [one.as_json() for one in self.figures],
            "drain": self.drain,
            "failed": self.failed,
        }


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "bench")
    parser.add_argument("--peers", type=Path, help="the Python that has the peers' packages")
    parser.add_argument("--port", type=int, default=0, help="by default one that is free")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of each load")
    parser.add_argument("--minutes", type=float, default=8.0, help="that it may take, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", nargs="+", choices=BY_NAME, default=list(BY_NAME))
    return parser.parse_args()


@contextmanager
def stores_in(directory: Path) -> Iterator[Stores]:
    """Run fresh stores in `directory`; both end, and their data is removed."""
    data = directory / "stores"
    remove(data)
    data.mkdir(parents=True)
    data.chmod(0o711)
    stores = Stores(data)
    try:
        stores.start()
        yield stores
    finally:
        stores.stop()
        remove(data)


def remove(data: Path) -> None:
    """Remove the stores' data, also where it lies behind a link (see `standalone.places`)."""
    for path in (data / "postgres", data / "redis"):
        if path.is_symlink():
            shutil.rmtree(path.resolve(), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def main() -> int:
    wanted = arguments()
    end = time.monotonic() + wanted.minutes * 60
    directory: Path = wanted.directory.resolve()
    (directory / "server.log").unlink(missing_ok=True)
    approaches = [approach for approach in APPROACHES if approach.name in wanted.rows]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so out of every context
    with ExitStack() as stack:
        stack.enter_context(only_user(directory))
        stores = stack.enter_context(stores_in(directory))
        place = Place(directory, wanted.port or free_port(), stores, wanted.peers or PYTHON)
        check_port(place.configuration)
        bench = Bench(place, Plan(seconds=wanted.seconds, seed=wanted.seed), approaches)
        say(f"making {PAGES:,} pages with 15 contents each, for each way of counting them")
        bench.prepare()
        measurements = bench.measurements(stack)
        bench.repeat(measurements, wanted.repetitions, end)
        bench.measure_drain(measurements)
    found = bench.as_json()
    (directory / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    (directory / "bench.svg").write_text(bars(*report.to_plot(found)))
    print(report.text(found))
    say(f"\nwritten: {directory / 'results.json'}, {directory / 'bench.svg'}")
    return 1 if bench.failed or not report.exact(found) else 0


if __name__ == "__main__":
    sys.exit(main())

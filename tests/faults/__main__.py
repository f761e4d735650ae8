"""`python -m tests.faults --time 10m --seed 1`, for `make faults`."""

import argparse
import json
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from standalone.configuration import ROOT
from tests.faults.campaign import Campaign, Outcome
from tests.faults.clustered import ClusterCampaign, ClusterService
from tests.faults.failover import FailoverCampaign, FailoverService
from tests.faults.fault_plan import CLOCK, CLUSTER_KINDS, FAILOVER_KINDS, KINDS, Kind, plan_faults
from tests.faults.machine.machine import Machine
from tests.faults.report import figures, table
from tests.faults.service import Service

GAP = 3.5  # seconds between two faults on average: 150 and some in 10 minutes
PAGES = 200
PROFILES: dict[str, tuple[Any, ...]] = {
    "redis": (KINDS, Service, Campaign),
    "cluster": (CLUSTER_KINDS, ClusterService, ClusterCampaign),
    "failover": (FAILOVER_KINDS, FailoverService, FailoverCampaign),
}
FAKETIME = "faketime"  # where the Makefile installs it, in the directory


def main() -> int:
    """Return 0 if nothing was lost or doubled and every part recovered, else 1."""
    wanted = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory: Path = wanted.directory.resolve()
    say(f"seed {wanted.seed}, {wanted.time:g} s; in {directory}")
    kinds, of, campaign = PROFILES[wanted.profile]
    with Machine(directory / FAKETIME, say) as machine:
        kinds = chosen(kinds, wanted.only, has_clocks=machine.clocks is not None)
        planned = plan_faults(wanted.seed, wanted.time, wanted.gap, kinds)
        with of(directory, machine=machine) as service:
            populate(service)
            outcome = campaign(service, planned, say).carry_out(
                wanted.time, clients=wanted.clients, pause=wanted.pause, seed=wanted.seed
            )
            output = service.copy.output
    return report(outcome, wanted.seed, directory, output)


def chosen(kinds: Mapping[str, Kind], only: str, *, has_clocks: bool) -> dict[str, Kind]:
    """Return the kinds whose names match, without clocks that cannot be set."""
    return {
        name: kind
        for name, kind in kinds.items()
        if re.search(only, name) and (has_clocks or CLOCK not in kind.parts)
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--time", type=seconds, default=seconds("10m"), help="30s, 10m, 1h")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="redis")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeats a run")
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "faults")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds, of each client")
    parser.add_argument("--only", default="", help="faults whose names match, clock|disk")
    parser.add_argument("--gap", type=float, default=GAP, help="seconds between two faults")
    return parser.parse_args()


def seconds(text: str) -> float:
    """Return the seconds that "90", "90s", "10m" or "1h" stand for."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 30s, 10m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def populate(service: Service) -> None:
    """Make enough pages: if one is read very often, a few lost views do not show."""
    if len(service.targets()) < PAGES:
        words = ("populate", "--pages", str(PAGES))
        done = service.manage(*words)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)


def report(outcome: Outcome, seed: int, directory: Path, output: str) -> int:
    """Print the figures, and keep them; with answers of 500 keep the service's output, too."""
    found = figures(outcome, seed)
    file = directory / f"seed-{seed}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_text(json.dumps(found, indent=1))
    if "500" in found["reads"]["statuses"]:
        file.with_suffix(".log").write_text(output)
    sys.stdout.write(f"\n{table(found)}\n")
    return 0 if outcome.is_exact and not outcome.failures else 1


_saying = threading.Lock()


def say(line: str) -> None:
    with _saying:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

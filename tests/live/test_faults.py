"""`make faults`, in short: some faults of a service under load, and nothing lost or doubled."""

import subprocess
import sys
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.fault_plan import SHORT_KINDS, plan_faults
from tests.faults.report import figures, table
from tests.faults.service import Service
from tests.support import processes

SEED, SECONDS, GAP = 9, 12.0, 1.1


class Forking(Service):
    """Its commands are forked from a process that has loaded Django."""

    def manage(self, *words: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        try:
            done = processes.run(self.copy.environment, processes.manage, *words, timeout=timeout)
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(words, timeout) from error
        return subprocess.CompletedProcess(words, done.returncode, done.stdout, done.stderr)


def test_nothing_is_lost_and_nothing_doubled_whatever_dies(migrated: Path) -> None:
    planned = plan_faults(SEED, SECONDS, GAP, SHORT_KINDS)
    assert len(planned) >= 8

    with Forking(migrated) as service:
        outcome = Campaign(service, planned, say).carry_out(
            SECONDS, clients=8, pause=0.05, seed=SEED
        )

    found = figures(outcome, SEED)
    assert (found["lost"], found["doubled"], found["failures"]) == (0, 0, []), table(found)
    assert len(outcome.happened) == len(planned)
    assert found["reads"]["answered"] > 0
    assert found["events by the log"] > 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")  # shown if the test fails

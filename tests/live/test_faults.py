"""`make faults`, in short: some faults of a service under load, and nothing lost or doubled."""

import sys
from contextlib import ExitStack

from tests.faults.campaign import Campaign
from tests.faults.fault_plan import SHORT_KINDS, plan_faults
from tests.faults.report import figures, table
from tests.faults.service import Service
from tests.support.stores import temporary_directory

SEED, SECONDS, GAP = 9, 12.0, 1.1


def test_nothing_is_lost_and_nothing_doubled_whatever_dies() -> None:
    planned = plan_faults(SEED, SECONDS, GAP, SHORT_KINDS)
    assert len(planned) >= 8

    with ExitStack() as stack:
        service = stack.enter_context(Service(temporary_directory(stack)))
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

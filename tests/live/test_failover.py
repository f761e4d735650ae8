"""The whole service on stores that fail over: sentinels, a standby, eleven processes beside it."""

import sys
from contextlib import ExitStack

import pytest

from tests.faults.failover import FailoverCampaign, FailoverService
from tests.faults.fault_plan import Planned
from tests.faults.report import figures, table
from tests.support.stores import temporary_directory

SEED, SECONDS = 5, 20.0
PLANNED = [
    Planned(0.5, "an asynchronous standby promoted, behind", 1.0, 0.0),
    Planned(7.0, "the master killed, its replicas behind", 0.1, 0.4),
    Planned(9.0, "the primary killed, its standby promoted", 0.1, 0.4),
]


@pytest.mark.soak
@pytest.mark.parametrize("wait", [0, 1])
def test_only_what_replication_lost_is_lost_and_nothing_doubled(wait: int) -> None:
    with ExitStack() as stack:
        directory = temporary_directory(stack)
        service = stack.enter_context(FailoverService(directory, COUNTERS_WAIT_REPLICAS=str(wait)))
        campaign = FailoverCampaign(service, PLANNED, say)
        outcome = campaign.carry_out(SECONDS, clients=8, pause=0.02, seed=SEED)

    found = figures(outcome, SEED)
    assert (found["lost"], found["doubled"], found["failures"]) == (0, 0, []), table(found)
    assert len(outcome.happened) == len(PLANNED)
    assert [len(one) for one in service.by_store.values()] == [1, 2]
    assert found["latency during promotions"]
    answered_and_gone = found["notes"]["  of these answered and not counted"]
    assert (answered_and_gone == "0") is bool(wait), table(found)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")  # shown if the test fails

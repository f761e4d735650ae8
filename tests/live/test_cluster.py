"""The whole service on a Redis Cluster, a broker and a cache: six, one and one processes."""

import sys
from pathlib import Path

import pytest

from footfall.eventlog.connections import call, connections
from tests.faults.clustered import ClusterCampaign, ClusterService
from tests.faults.fault_plan import Planned
from tests.faults.report import figures, table

SEED, SECONDS = 5, 4.0
PLANNED = [
    Planned(0.5, "a partition moved", 0.0, 0.0),
    Planned(1.0, "a master killed, its replica behind", 0.1, 0.4),
    Planned(2.0, "Redis killed", 0.0, 0.0),  # the broker
]


@pytest.mark.long
def test_only_what_replication_lost_is_lost_and_nothing_doubled(migrated: Path) -> None:
    with ClusterService(migrated) as service:
        outcome = ClusterCampaign(service, PLANNED, say).carry_out(
            SECONDS, clients=8, pause=0.02, seed=SEED
        )
        held = [key for node in service.cluster.masters() for key in node.all()]
        broker, cache = keys(service.redis.store.url), keys(service.cache.store.url)

    assert all(key.startswith("footfall:") for key in held)
    assert any(key.startswith("_kombu") for key in broker)
    assert not [key for key in broker | cache if key.startswith("footfall:")]
    found = figures(outcome, SEED)
    assert (found["lost"], found["doubled"], found["failures"]) == (0, 0, []), table(found)
    assert len(outcome.happened) == len(PLANNED)
    assert len(service.promotions) == 1
    assert service.gone
    assert found["events by the log"] > 0


def keys(url: str) -> set[str]:
    pool = connections(url, 5.0)
    try:
        found: list[bytes] = call(pool, "KEYS", "*")
    finally:
        pool.disconnect()
    return {key.decode() for key in found}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")  # shown if the test fails

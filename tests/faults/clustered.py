"""`make faults PROFILE=cluster`: the log on a Redis Cluster of six processes, which break.

Redis replicates *after* it has answered. So a master that is replaced takes with it what it had not
passed on yet: that much is measured, from the servers' own files. Nothing else may be missing.
"""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from redis.crc import key_slot

from loadtest.common.verdict import Verdict
from tests.faults.campaign import Say
from tests.faults.fault_plan import CLUSTER, CLUSTER_KINDS, Planned
from tests.faults.injection import INJECTORS, Injector
from tests.faults.machine.machine import Machine
from tests.faults.replicated import PARTITIONS, PREFIX, ReplicatedCampaign, ReplicatedService
from tests.faults.service import RestartedRedis, Service
from tests.support.redis_cluster import Node, RedisCluster


class ClusterService(ReplicatedService):
    """The service with three kinds of Redis: a cluster for the log, a broker, and a cache."""

    def __init__(
        self, directory: Path, port: int = 0, *, machine: Machine | None = None, **variables: str
    ) -> None:
        super().__init__(directory, port, machine=machine, **variables)
        shutil.rmtree(directory / "cluster", ignore_errors=True)  # its ports are others each time
        self.cluster = RedisCluster(directory / "cluster")
        self.cache = RestartedRedis(directory / "cache")
        self.variables |= {
            "REDIS_URL": self.cluster.url,
            "CELERY_BROKER_URL": self.proxy.url,
            "CACHE_URL": self.cache.store.url,
            "COUNTERS_PARTITIONS": str(PARTITIONS),
        }
        self.one_at_a_time = threading.Lock()

    def __enter__(self) -> "ClusterService":
        self.cache.start()
        self._starter.submit(self.cluster.start).result()
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.cluster.stop()
        self.cache.stop()

    def start_again(self, node: Node) -> None:
        self._starter.submit(node.store.start).result()
        node.store.wait_ready()

    @property
    def log_url(self) -> str:
        return self.cluster.url


# --- The faults -----------------------------------------------------------------------------------


def clustered(inject: Callable[[ClusterService, Planned], Iterator[None]]) -> Injector:
    """Return an injector for the cluster: one at a time, when it is whole; its cost is measured."""

    def injector(service: Service, planned: Planned) -> Iterator[None]:
        assert isinstance(service, ClusterService)
        with service.one_at_a_time:
            service.cluster.wait_whole()
            service.keep_files(node.store.directory for node in service.cluster.nodes)
            yield from inject(service, planned)
            service.cluster.wait_whole()
            service.measure(planned.name)

    return injector


def _a_master(service: ClusterService, planned: Planned) -> Node:
    masters = service.cluster.masters()
    return masters[int(planned.chance * len(masters))]


def replaced(service: ClusterService, planned: Planned) -> Iterator[None]:
    node = _a_master(service, planned)
    slots = node.slots()
    began = time.monotonic()
    node.store.kill()
    yield from _replaced(service, node, slots, began)


def behind(service: ClusterService, planned: Planned) -> Iterator[None]:
    """Let it go on without its replica for half a second, then kill it: this loses events."""
    node = _a_master(service, planned)
    slots = node.slots()
    with service.cluster.cut_off(node):
        time.sleep(0.5)
        began = time.monotonic()
        node.store.kill()
    yield from _replaced(service, node, slots, began)


def _replaced(service: ClusterService, node: Node, slots: set[int], began: float) -> Iterator[None]:
    try:
        service.cluster.wait_replaced(node, slots)
        service.promotions.append((began, time.monotonic()))
        yield
    finally:
        service.start_again(node)


def back_at_once(service: ClusterService, planned: Planned) -> Iterator[None]:
    node = _a_master(service, planned)
    node.store.kill()
    service.start_again(node)
    yield


def stopped(service: ClusterService, planned: Planned) -> Iterator[None]:
    """Stop it. It is replaced after a second; when it goes on, it learns that a bit later."""
    node = _a_master(service, planned)
    assert node.store.process
    began = time.monotonic()
    node.store.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        node.store.process.send_signal(signal.SIGCONT)
    service.cluster.wait_whole()
    if not node.slots():
        service.promotions.append((began, time.monotonic()))


def replica_killed(service: ClusterService, planned: Planned) -> Iterator[None]:
    replicas = [node for node in service.cluster.nodes if not node.slots()]
    node = replicas[int(planned.chance * len(replicas))]
    node.store.kill()
    try:
        yield
    finally:
        service.start_again(node)


def moved(service: ClusterService, planned: Planned) -> Iterator[None]:
    key = f"{PREFIX}:{{{int(planned.chance * PARTITIONS)}}}:log"
    source = service.cluster.master_of(key)
    target = next(node for node in service.cluster.masters() if node is not source)
    service.cluster.move(key_slot(key.encode()), target, pause=0.002)
    yield


CLUSTER_INJECTORS: Mapping[str, Injector] = {
    **{name: INJECTORS[name] for name in CLUSTER_KINDS if name in INJECTORS},
    "a master killed, its replica promoted": clustered(replaced),
    "a master killed, its replica behind": clustered(behind),
    "a master killed, back at once": clustered(back_at_once),
    "a master stopped": clustered(stopped),
    "a replica killed": clustered(replica_killed),
    "a partition moved": clustered(moved),
}


class ClusterCampaign(ReplicatedCampaign):
    injectors = CLUSTER_INJECTORS

    def __init__(self, service: ClusterService, planned: Sequence[Planned], say: Say) -> None:
        super().__init__(service, planned, say)
        self._cluster_service = service

    def notes(self, verdict: Verdict[str]) -> dict[str, str]:
        promoted = {"replicas promoted": str(len(self._cluster_service.promotions))}
        return promoted | super().notes(verdict)

    def _is_whole(self, part: str) -> bool:
        return (
            self._cluster_service.cluster.is_whole() if part == CLUSTER else super()._is_whole(part)
        )

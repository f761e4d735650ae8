"""`make faults PROFILE=cluster`: the log on a Redis Cluster of six processes, which break.

Redis replicates *after* it has answered. So a master that is replaced takes with it what it had not
passed on yet: that much is measured, from the dead master's own file. Nothing else may be missing.
"""

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg2
from redis.crc import key_slot

from footfall.eventlog import EventId, RedisLog
from footfall.eventlog.identities import Identities
from loadtest.common.stores import Redis
from loadtest.common.verdict import Verdict
from loadtest.common.waiting import wait_until
from tests.faults.campaign import Campaign, Say
from tests.faults.fault_plan import CLUSTER, CLUSTER_KINDS, Planned
from tests.faults.injection import INJECTORS, Injector
from tests.faults.machine.evicted import views
from tests.faults.machine.machine import Machine
from tests.faults.service import RestartedRedis, Service
from tests.support.redis_cluster import Node, RedisCluster

PARTITIONS = 8
PREFIX = "footfall"
EVERYTHING = 10**9
COUNTED = """
    SELECT 1 FROM counters_producerstate
    WHERE producer_id = %(producer_id)s AND partition = %(partition)s
        AND (sequence >= %(sequence)s OR spilled = %(sequence)s)
    UNION ALL
    SELECT 1 FROM counters_spilled
    WHERE producer_id = %(producer_id)s AND partition = %(partition)s AND sequence = %(sequence)s
"""


@dataclass(frozen=True)
class Gone:
    """An event that a dead master had, its successor has not, and that was not counted."""

    partition: int
    event_id: EventId
    body: bytes


class ClusterService(Service):
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
        self.tails = directory / "cluster" / "tails"
        self.one_at_a_time = threading.Lock()
        self.promotions = 0
        self.gone: list[Gone] = []
        self.cost: Counter[str] = Counter()

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

    def keep_files(self, node: Node) -> None:
        """Keep the files of a dead or stopped server: as a replica of another it empties them."""
        kept = self.tails / str(len(list(self.tails.glob("*")))) / "appendonlydir"
        kept.mkdir(parents=True)
        for file in (node.store.directory / "appendonlydir").iterdir():
            os.link(file, kept / file.name)

    def log(self, url: str) -> RedisLog:
        return RedisLog(url, prefix=self.prefix)

    @cached_property
    def prefix(self) -> str:
        """What the keys of the service's database begin with."""
        (name,) = Identities(self.cluster.url, PREFIX, 1.0).names()
        return f"{PREFIX}:{name}"

    def measure(self) -> None:
        """Note the events in the kept files of servers that no server has any more."""
        for kept in sorted(self.tails.glob("*")):
            with ExitStack() as stack:
                stack.callback(shutil.rmtree, kept)
                store = Redis(Path(shutil.copytree(kept, kept / "copy")))
                stack.enter_context(store.served())
                self.gone += self._missing(store.url)

    def _missing(self, url: str) -> Iterator[Gone]:
        with ExitStack() as stack:
            dead, alive = self.log(url), self.log(self.cluster.url)
            stack.callback(dead.close)
            stack.callback(alive.close)
            for partition in range(PARTITIONS):
                had = _events(dead, partition)
                # One that has moved to another server since is not gone.
                have = _events(alive, partition) if had else {}
                for event_id in had.keys() - have.keys():
                    if not self._is_counted(partition, event_id):
                        yield Gone(partition, event_id, had[event_id])

    def _is_counted(self, partition: int, event_id: EventId) -> bool:
        """Tell whether a flush has counted it, or will count it from the spill."""
        while True:
            try:
                with self.cursor() as cursor:
                    cursor.execute(COUNTED, {"partition": partition, **event_id._asdict()})
                    return cursor.fetchone() is not None
            except psycopg2.OperationalError:  # it has a fault, too
                wait_until(self.database_answers, 60)


def _events(log: RedisLog, partition: int) -> dict[EventId, bytes]:
    entries = log.read(partition, None, EVERYTHING, EVERYTHING).entries
    return {entry.event_id: entry.body for entry in entries if entry.event_id}


# --- The faults -----------------------------------------------------------------------------------


def clustered(inject: Callable[[ClusterService, Planned], Iterator[None]]) -> Injector:
    """Return an injector for the cluster: one at a time, when it is whole; its cost is measured."""

    def injector(service: Service, planned: Planned) -> Iterator[None]:
        assert isinstance(service, ClusterService)
        with service.one_at_a_time:
            service.cluster.wait_whole()
            yield from inject(service, planned)
            service.cluster.wait_whole()
            before = len(service.gone)
            service.measure()
            service.cost[planned.name] += len(service.gone) - before

    return injector


def _a_master(service: ClusterService, planned: Planned) -> Node:
    masters = service.cluster.masters()
    return masters[int(planned.chance * len(masters))]


def replaced(service: ClusterService, planned: Planned) -> Iterator[None]:
    node = _a_master(service, planned)
    slots = node.slots()
    node.store.kill()
    yield from _replaced(service, node, slots)


def behind(service: ClusterService, planned: Planned) -> Iterator[None]:
    """Let it go on without its replica for half a second, then kill it: this loses events."""
    node = _a_master(service, planned)
    slots = node.slots()
    with service.cluster.cut_off(node):
        time.sleep(0.5)
        node.store.kill()
    yield from _replaced(service, node, slots)


def _replaced(service: ClusterService, node: Node, slots: set[int]) -> Iterator[None]:
    service.keep_files(node)
    try:
        service.cluster.wait_replaced(node, slots)
        service.promotions += 1
        yield
    finally:
        service.start_again(node)


def back_at_once(service: ClusterService, planned: Planned) -> Iterator[None]:
    node = _a_master(service, planned)
    node.store.kill()
    service.keep_files(node)
    service.start_again(node)
    yield


def stopped(service: ClusterService, planned: Planned) -> Iterator[None]:
    """Stop it. It is replaced after a second; when it goes on, it learns that a bit later."""
    node = _a_master(service, planned)
    assert node.store.process
    node.store.process.send_signal(signal.SIGSTOP)
    try:
        yield
        service.keep_files(node)
    finally:
        node.store.process.send_signal(signal.SIGCONT)
    service.cluster.wait_whole()
    service.promotions += not node.slots()


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


class ClusterCampaign(Campaign):
    injectors = CLUSTER_INJECTORS

    def __init__(self, service: ClusterService, planned: Sequence[Planned], say: Say) -> None:
        super().__init__(service, planned, say)
        self._cluster_service = service

    def gone(self) -> Mapping[str, int]:
        return views(event.body for event in self._cluster_service.gone)

    def notes(self, verdict: Verdict[str]) -> dict[str, str]:
        return {
            "replicas promoted": str(self._cluster_service.promotions),
            "events that replication lost": str(len(self._cluster_service.gone)),
            **{f"  {name}": str(number) for name, number in self._cluster_service.cost.items()},
            "  in views": str(verdict.total().gone),
            "  of these answered and not counted": str(verdict.missing),
        }

    def _is_whole(self, part: str) -> bool:
        return (
            self._cluster_service.cluster.is_whole() if part == CLUSTER else super()._is_whole(part)
        )

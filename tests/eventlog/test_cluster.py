"""The log on a Redis Cluster of six real processes."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import pytest
import redis
from redis.crc import key_slot

from eventlog import Ambiguous, CircuitBreaker, LogError, Number, RedisLog, RedisQueue, Refused, Shelf
from eventlog.cluster import Cluster, Topology
from tests.cluster import RedisCluster
from tests.eventlog.contract import AT, FOREVER, LogContract, bodies, read
from tests.standalone.waiting import wait_until

PARTITIONS = 8


class Views:
    """Threads that append for as long as they are let, and note what they are told."""

    def __init__(self, log: RedisLog) -> None:
        self.acknowledged: list[Number] = []
        self.ambiguous: list[Number] = []
        self.refused: Counter[str] = Counter()
        self._log = log
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._append, args=(n,)) for n in range(4)]

    def __enter__(self) -> "Views":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)

    def _append(self, n: int) -> None:
        partition = n
        while not self._ended.wait(0.002):
            partition = (partition + 1) % PARTITIONS
            try:
                self.acknowledged.append(self._log.append(partition, b"a", AT).number)
            except Ambiguous as error:
                self.ambiguous.append(error.number)
            except Refused as error:
                self.refused[str(error)] += 1


def numbers(log: RedisLog) -> Counter[Number]:
    """Return how often each event is in the log."""
    entries = [entry for partition in range(PARTITIONS) for entry in read(log, partition=partition)]
    return Counter(entry.number for entry in entries if entry.number)


class TestClusterLog(LogContract):
    @pytest.fixture
    def log(self, open_clustered: Callable[..., RedisLog]) -> RedisLog:
        return open_clustered(retention_seconds=0)

    @pytest.fixture
    def small_log(self, open_clustered: Callable[..., RedisLog]) -> RedisLog:
        return open_clustered(max_bytes=10_000, retention_bytes=0)


def test_the_partitions_are_spread_over_the_masters(
    clustered: RedisLog, cluster: RedisCluster, prefix: str
) -> None:
    for partition in range(PARTITIONS):
        clustered.append(partition, b"a", AT)

    masters = {cluster.master_of(f"{prefix}:{{{p}}}:log").address for p in range(PARTITIONS)}
    assert len(masters) == 3
    assert sum(numbers(clustered).values()) == PARTITIONS

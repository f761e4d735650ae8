"""The log on a Redis Cluster of six real processes."""

import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.crc import key_slot

from footfall.cache.entries import PageCache
from footfall.common.breaker import CircuitBreaker
from footfall.eventlog import Ambiguous, Away, Condition, EventId, LogError, RedisLog, Refused
from footfall.eventlog.cluster import Topology, topology
from footfall.eventlog.identities import Identities
from loadtest.common.stores import Redis
from loadtest.common.waiting import wait_until
from tests.footfall.eventlog.contract import AT, LogContract, bodies, read
from tests.support.redis_cluster import Node, RedisCluster

PARTITIONS = 8
Event = tuple[int, EventId]
"""A partition, and an id that is unique there."""


class Views:
    """Threads that append until the end of the context, and note the answers."""

    def __init__(self, log: RedisLog) -> None:
        self.acknowledged: list[Event] = []
        self.ambiguous: list[Event] = []
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

    def are_more_than(self, number: int) -> bool:
        return len(self.acknowledged) > number

    def _append(self, n: int) -> None:
        partition = n
        while not self._ended.wait(0.002):
            partition = (partition + 1) % PARTITIONS
            try:
                event_id = self._log.append(partition, b"a", AT).event_id
                self.acknowledged.append((partition, event_id))
            except Ambiguous as error:
                self.ambiguous.append((partition, error.event_id))
            except Refused as error:
                self.refused[str(error)] += 1


@pytest.fixture
def prefix(cluster: RedisCluster) -> Iterator[str]:
    """A name of the test's own, in the cluster."""
    prefix = f"test-{uuid4().hex}"
    yield prefix
    cluster.forget(prefix)


@pytest.fixture
def open_clustered(cluster: RedisCluster, prefix: str) -> Iterator[Callable[..., RedisLog]]:
    topology.cache_clear()  # each test finds the cluster anew, as a process that starts
    with ExitStack() as stack:

        def open_log(**options: Any) -> RedisLog:
            log = RedisLog(cluster.url, prefix=prefix, **options)
            stack.callback(log.close)
            return log

        yield open_log


@pytest.fixture
def clustered(open_clustered: Callable[..., RedisLog]) -> RedisLog:
    return open_clustered()


def events(log: RedisLog) -> Counter[Event]:
    """Return how often each event is in the log."""
    return Counter(
        (partition, entry.event_id)
        for partition in range(PARTITIONS)
        for entry in read(log, partition=partition)
        if entry.event_id
    )


class TestClusterLog(LogContract):
    @pytest.fixture
    def log(self, open_clustered: Callable[..., RedisLog]) -> RedisLog:
        return open_clustered(retention_seconds=0)

    @pytest.fixture
    def small_log(self, open_clustered: Callable[..., RedisLog]) -> RedisLog:
        return open_clustered(max_bytes=10_000, retention_bytes=0)


def key(prefix: str, partition: int) -> str:
    return f"{prefix}:{{{partition}}}:log"


def test_partitions_and_identities_are_known(
    clustered: RedisLog, cluster: RedisCluster, prefix: str
) -> None:
    for partition in (2, 255):
        clustered.append(partition, b"a", AT)
    identities = Identities(cluster.url, prefix, 1.0)
    for name in ("", "one"):
        identities.add(name)
    identities.note("one", (7, 2**63 - 1))
    identities.add("one")

    assert clustered.existing(range(250, 256)) == {255}
    assert clustered.existing(range(3)) == {2}
    assert identities.names() == ["", "one"]
    assert [identities.newest(name) for name in ("", "one", "two")] == [None, (7, 2**63 - 1), None]
    identities.close()


def test_eight_partitions_are_spread_over_the_masters(
    clustered: RedisLog, cluster: RedisCluster, prefix: str
) -> None:
    for partition in range(PARTITIONS):
        clustered.append(partition, b"a", AT)

    masters = {cluster.master_of(key(prefix, p)).address for p in range(PARTITIONS)}
    assert len(masters) == 3
    assert sum(events(clustered).values()) == PARTITIONS


def test_one_master_that_may_evict_the_log_is_found(
    open_clustered: Callable[..., RedisLog], cluster: RedisCluster
) -> None:
    assert open_clustered().condition()[:3] == Condition()[:3]
    assert open_clustered().condition().replicas == 1
    master = cluster.masters()[1]
    master.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    try:
        assert open_clustered().condition().policy == "allkeys-lfu"
    finally:
        master.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_slots_that_move_while_views_come_lose_and_double_nothing(
    clustered: RedisLog, cluster: RedisCluster, prefix: str
) -> None:
    with Views(clustered) as views:
        wait_until(lambda: len(views.acknowledged) > 100)
        for partition in range(PARTITIONS):
            slot = key_slot(key(prefix, partition).encode())
            masters = cluster.masters()
            source = masters.index(cluster.master_of(key(prefix, partition)))
            before = len(views.acknowledged) + 20
            moved = cluster.move(slot, masters[source - 1], pause=0.01)
            assert moved >= 2  # the stream and its offset
            wait_until(partial(views.are_more_than, before))

    found = events(clustered)
    assert set(found.values()) == {1}
    assert set(views.acknowledged) <= found.keys() <= {*views.acknowledged, *views.ambiguous}
    assert len(views.acknowledged) > 200


def test_a_dead_master_stops_its_own_partitions_until_its_replica_takes_over(
    clustered: RedisLog, cluster: RedisCluster, prefix: str, tmp_path: Path
) -> None:
    """Nothing is doubled, and what is lost is what the master had and had not passed on yet."""
    with Views(clustered) as views:
        wait_until(lambda: len(views.acknowledged) > 300)
        master = cluster.master_of(key(prefix, 0))
        slots = master.slots()
        alive = [p for p in range(PARTITIONS) if key_slot(key(prefix, p).encode()) not in slots]
        with cluster.cut_off(master):
            wait_until(partial(views.are_more_than, len(views.acknowledged) + 50))
            master.store.kill()
        before = {p: clustered.length(p) for p in alive}
        with pytest.raises(LogError) as caught:
            clustered.length(0)
        assert not isinstance(caught.value, Away)
        wait_until(lambda: all(clustered.length(p) > before[p] for p in alive))
        had = what_a_dead_server_had(master.store.directory, tmp_path, prefix)
        cluster.wait_replaced(master, slots)
        taken_over = len(views.acknowledged)
        wait_until(lambda: is_appended(clustered, 0))
        wait_until(lambda: len(views.acknowledged) > taken_over + 100)
    master.store.start()
    cluster.wait_whole()

    found = events(clustered)
    assert set(found.values()) == {1}
    lost = set(views.acknowledged) - found.keys()
    assert set() < lost <= had
    assert views.refused["the circuit breaker is open"] > 0


def what_a_dead_server_had(directory: Path, copy: Path, prefix: str) -> set[Event]:
    """Read its file with another server: it has everything that was acknowledged."""
    shutil.copytree(directory / "appendonlydir", copy / "appendonlydir")
    with ExitStack() as stack:
        store = Redis(copy)
        stack.enter_context(store.served())
        log = RedisLog(store.url, prefix=prefix)
        stack.callback(log.close)
        return set(events(log))


def is_appended(log: RedisLog, partition: int) -> bool:
    try:
        return bool(log.append(partition, b"probe", AT))
    except LogError:
        return False


def test_a_cluster_without_answering_servers_is_away_and_refuses(prefix: str) -> None:
    log = RedisLog("redis+cluster://127.0.0.1:1,127.0.0.1:2/", prefix=prefix)

    with pytest.raises(Refused):
        log.append(0, b"a", AT)
    with pytest.raises(Away):
        log.length(0)


def test_a_cached_page_is_returned_and_its_event_appended_in_one_call(
    clustered: RedisLog, cluster: RedisCluster, prefix: str
) -> None:
    page_cache = PageCache(cluster.url, prefix=prefix, breaker=CircuitBreaker())
    for partition in range(PARTITIONS):
        lease = page_cache.lease(partition, "page:7")
        assert lease
        assert page_cache.store(lease, b"event", b"answer", [("text:1", 5), ("text:2", 6)])
        page_cache.increase_counters(partition, {"text:1": 8})

    calls = sum(evaluated(node) for node in cluster.nodes)
    answers = [clustered.append_cached(p, "page:7", AT) for p in range(PARTITIONS)]

    assert [one and list(one.values) for one in answers] == [[b"answer", b"8", b"6"]] * PARTITIONS
    assert sum(evaluated(node) for node in cluster.nodes) == calls + PARTITIONS
    assert bodies(read(clustered, partition=3)) == [b"event"]
    page_cache.set_tombstone(3, "text:2")
    page_cache.invalidate(4, ["page:7"])
    assert clustered.append_cached(3, "page:7", AT) is None
    assert clustered.append_cached(4, "page:7", AT) is None
    page_cache.close()


def evaluated(node: Node) -> int:
    """Return how many scripts a server has run."""
    stats = node.ask("INFO", "commandstats")
    calls = re.search(r"cmdstat_evalsha:calls=(\d+)", stats)
    return int(calls[1]) if node.slots() and calls else 0


def test_every_server_gets_the_credentials(cluster: RedisCluster, prefix: str) -> None:
    def url(password: str) -> str:
        return cluster.url.replace("//", f"//footfall:{password}@")

    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "footfall", "on", ">p@ss:w/rd", "~*", "&*", "+@all")
    known = RedisLog(url("p%40ss%3Aw%2Frd"), prefix=prefix)
    unknown = RedisLog(url("wrong"), prefix=prefix)
    try:
        for partition in range(PARTITIONS):
            known.append(partition, b"a", AT)
        assert all("user=footfall" in node.ask("CLIENT", "LIST") for node in cluster.masters())
        with pytest.raises(Refused):
            unknown.append(0, b"a", AT)
    finally:
        known.close()
        for node in cluster.nodes:
            node.ask("ACL", "DELUSER", "footfall")


@pytest.mark.parametrize(
    ("url", "one"),
    [
        ("redis+cluster://a:7000,b/", "redis://a:7000"),
        ("redis+cluster://:p%40ss@a:7000,b/", "redis://:p%40ss@a:7000"),
        (
            "rediss+cluster://u:p@a:7000/?ssl_cert_reqs=none",
            "rediss://u:p@a:7000?ssl_cert_reqs=none",
        ),
    ],
)
def test_each_server_is_asked_with_the_options_of_the_cluster(url: str, one: str) -> None:
    assert Topology(url).url(("a", 7000)) == one

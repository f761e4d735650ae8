"""A Redis Cluster of real processes on loopback: three masters, each with a replica."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from footfall.eventlog import LogError
from footfall.eventlog.connections import call, connections
from loadtest.common.ports import free_ports
from loadtest.common.stores import Redis
from loadtest.common.waiting import wait_until

MASTERS = 3
NODE_TIMEOUT_MS = 1_000  # after which a silent master is replaced; Redis' own default is 15 s


class Node:
    """One process of the cluster. It keeps its port and its data, and not its role."""

    def __init__(self, directory: Path, port: int, bus: int, config: Mapping[str, str]) -> None:
        self.port, self.bus = port, bus
        own = {
            "maxmemory": "256mb",
            "port": str(self.port),
            "cluster-enabled": "yes",
            "cluster-port": str(self.bus),
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-require-full-coverage": "no",  # who loses a master goes on with the others
            "repl-diskless-sync-delay": "0",
            "repl-ping-replica-period": "1",
        }
        self.store = Redis(directory, {**own, **config})
        self.store.prepare()
        self._pool = connections(self.store.url, 5.0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, *command: str | int | bytes) -> str:
        """Send one command and return its answer as text. Raises LogError."""
        answer = call(self._pool, *command)
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    @property
    def name(self) -> str:
        return self.ask("CLUSTER", "MYID")

    def keys(self, slot: int) -> list[bytes]:
        found: list[bytes] = call(self._pool, "CLUSTER", "GETKEYSINSLOT", slot, 10_000)
        return found

    def all(self, pattern: str = "*") -> list[str]:
        """Return the names of its keys."""
        found: list[bytes] = call(self._pool, "KEYS", pattern)
        return [key.decode() for key in found]

    def slots(self) -> set[int]:
        """Return the slots that it says are its own: none of a replica, or if it is away."""
        found: set[int] = set()
        for one in self._line()[8:]:
            if not one.startswith("["):  # [slot->-node]: on its way
                start, _, end = one.partition("-")
                found |= set(range(int(start), int(end or start) + 1))
        return found

    def follows(self, master: str) -> bool:
        """Tell whether it says that it is a replica of the server with this name."""
        return self._line()[3:4] == [master]

    def _line(self) -> list[str]:
        """Return what it says of itself: id, address, flags, master, 3 numbers, link, slots..."""
        try:
            lines = self.ask("CLUSTER", "NODES").splitlines()
        except LogError:
            return []
        return next(line for line in lines if "myself" in line).split()


class RedisCluster:
    """`url` names two of its servers; the others are found by asking."""

    def __init__(self, directory: Path, **config: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        ports = free_ports(4 * MASTERS)
        self.nodes = [
            Node(directory / str(n), port, bus, config)
            for n, (port, bus) in enumerate(zip(ports[::2], ports[1::2], strict=True))
        ]

    @property
    def url(self) -> str:
        return f"redis+cluster://{self.nodes[0].address},{self.nodes[1].address}/"

    def start(self) -> None:
        for node in self.nodes:
            node.store.start()
        for node in self.nodes:
            node.store.wait_ready()
        self._form()

    def stop(self) -> None:
        for node in self.nodes:
            node.store.kill()
            node.store.clean_up()

    def masters(self) -> list[Node]:
        return [node for node in self.nodes if node.slots()]

    def master_of(self, key: str) -> Node:
        slot = key_slot(key.encode())
        return next(node for node in self.nodes if slot in node.slots())

    def is_whole(self) -> bool:
        """Tell whether every slot has one master and everybody knows it, and each replica follows.

        Then every master has a replica, unless one has two.
        """
        held = [len(slots) for node in self.nodes if (slots := node.slots())]
        if len(held) != MASTERS or sum(held) != REDIS_CLUSTER_HASH_SLOTS:
            return False
        try:
            views = {str(sorted(self._view(node))) for node in self.nodes}
            states = [node.ask("CLUSTER", "INFO") for node in self.nodes]
            links = [node.ask("INFO", "replication") for node in self.nodes]
        except LogError:
            return False
        following = sum("master_link_status:up" in link for link in links)
        return (
            len(views) == 1
            and all("cluster_state:ok" in state for state in states)
            and following == len(self.nodes) - MASTERS
        )

    def wait_whole(self, seconds: float = 30.0) -> None:
        wait_until(self.is_whole, seconds)

    def wait_replaced(self, master: Node, slots: set[int], seconds: float = 20.0) -> None:
        """Wait until others say that what `master` had is theirs."""
        others = [node for node in self.nodes if node is not master]
        wait_until(lambda: slots <= set().union(*(node.slots() for node in others)), seconds)

    @contextmanager
    def cut_off(self, master: Node) -> Iterator[None]:
        """Let a master answer without passing anything on; for less than the time-out of nodes."""
        name = master.name
        replicas = [node.store.process for node in self.nodes if node.follows(name)]
        for process in filter(None, replicas):
            process.send_signal(signal.SIGSTOP)
        try:
            master.ask("CLIENT", "KILL", "TYPE", "replica")
            yield
        finally:
            for process in filter(None, replicas):
                process.send_signal(signal.SIGCONT)

    def move(self, slot: int, target: Node, pause: float = 0.0) -> int:
        """Move one slot as `redis-cli --cluster reshard` does; return how many keys it had.

        pause: seconds between two keys; meanwhile the slot is in two places.
        """
        source = next(node for node in self.nodes if slot in node.slots())
        if source is target:
            return 0
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.name)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.name)
        moved = 0
        while keys := source.keys(slot):
            for key in keys:
                time.sleep(pause)
                source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000, "REPLACE")
                moved += 1
        others = [node for node in self.masters() if node not in (source, target)]
        for node in (target, source, *others):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.name)
        return moved

    def forget(self, prefix: str) -> None:
        """Remove all keys that begin with `prefix`."""
        for node in self.masters():
            for key in node.all(f"{prefix}:*"):
                node.ask("DEL", key)

    def _form(self) -> None:
        first, *others = self.nodes
        masters, replicas = self.nodes[:MASTERS], self.nodes[MASTERS:]
        share = -(-REDIS_CLUSTER_HASH_SLOTS // MASTERS)
        for n, node in enumerate(masters):
            last = min((n + 1) * share, REDIS_CLUSTER_HASH_SLOTS) - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", n * share, last)
        for n, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for node in others:
            first.ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        wait_until(lambda: all(self._knows_all(node) for node in self.nodes), 30)
        for node, master in zip(replicas, masters, strict=True):
            node.ask("CLUSTER", "REPLICATE", master.name)
        self.wait_whole()

    def _knows_all(self, node: Node) -> bool:
        lines = node.ask("CLUSTER", "NODES").splitlines()
        return len([line for line in lines if "handshake" not in line]) == len(self.nodes)

    def _view(self, node: Node) -> list[tuple[int, int, int]]:
        """Return who has what, as this node says."""
        found = call(node._pool, "CLUSTER", "SLOTS")
        return [(start, end, holders[0][1]) for start, end, *holders in found]

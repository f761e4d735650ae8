"""A Redis that fails over, as real processes on loopback: a master, replicas, and sentinels."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from footfall.eventlog import LogError
from footfall.eventlog.connections import call, connections
from loadtest.common.ports import free_ports
from loadtest.common.stores import Redis
from loadtest.common.waiting import wait_until
from standalone.program import Program

NAME = "footfall"
SERVERS, SENTINELS = 3, 3
DOWN_AFTER_MS = 1_000  # after which a silent master is replaced; Redis' own default is 30 s
FAILOVER_TIMEOUT_MS = 1_500  # twice that between two promotions


class Node(Redis):
    """A Redis server, or a sentinel, with a file that it rewrites when its role changes."""

    def __init__(self, directory: Path, port: int, lines: list[str], **config: str) -> None:
        super().__init__(directory, config)
        self.port = port
        self._file = directory / "redis.conf"
        self._lines = [f"port {port}", *lines]
        self._connections = connections(f"redis://127.0.0.1:{port}", 5.0)

    def prepare(self) -> None:
        super().prepare()
        self._file.write_text("".join(f"{line}\n" for line in self._lines))

    def follow(self, master: "Node") -> None:
        """Write into its file that it is a replica of `master`; it must not run.

        Without that a dead master comes back as a master, and its sentinels take some 10 seconds to
        make a replica of it.
        """
        self._lines = [f"port {self.port}", f"replicaof 127.0.0.1 {master.port}"]
        self.prepare()

    def program(self) -> Program:
        program = super().program()
        binary, *options = program.command
        at = options.index("--port")
        return replace(
            program, command=[binary, str(self._file), *options[:at], *options[at + 2 :]]
        )

    def ask(self, *command: str | int | bytes) -> str:
        """Send one command and return its answer as text. Raises LogError."""
        answer = call(self._connections, *command)
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    def close(self) -> None:
        self._connections.disconnect()

    def replication(self) -> dict[str, str]:
        """Return what it says of its role, and of its replicas; {} if it is away."""
        with suppress(LogError):
            lines = self.ask("INFO", "replication").splitlines()
            return dict(line.split(":", 1) for line in lines if ":" in line)
        return {}

    @property
    def is_on_disk(self) -> bool:
        """Tell whether its append-only file is complete: a new replica writes it after its copy."""
        with suppress(LogError):
            state = self.ask("INFO", "persistence").splitlines()
            return {"aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"} <= {*state}
        return False

    @property
    def is_master(self) -> bool:
        return self.replication().get("role") == "master"

    def pause(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGCONT)


class SentinelNode(Node):
    def program(self) -> Program:
        program = super().program()
        binary, file, *_ = program.command
        return replace(program, name="sentinel", command=[binary, file, "--sentinel"])

    def master(self) -> tuple[str, int] | None:
        """Return the address of the master that it knows; None if it is away."""
        try:
            host, port = call(self._connections, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        except (LogError, TypeError):
            return None
        return host.decode(), int(port)

    def ready(self) -> bool:
        return self.master() is not None


class RedisSentinel:
    """The servers and their sentinels.

    config: of the servers.
    """

    def __init__(self, directory: Path, config: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        ports = free_ports(SERVERS + SENTINELS)
        own = {"maxmemory": "256mb", "repl-diskless-sync-delay": "0", **(config or {})}
        first = f"127.0.0.1 {ports[0]}"
        self.nodes = [
            Node(directory / str(n), port, [f"replicaof {first}"] if n else [], **own)
            for n, port in enumerate(ports[:SERVERS])
        ]
        lines = [
            f"sentinel monitor {NAME} {first} {SENTINELS // 2 + 1}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}",
            f"sentinel parallel-syncs {NAME} {SERVERS}",
        ]
        self.sentinels = [
            SentinelNode(
                directory / f"sentinel{n}", port,
                ["bind 127.0.0.1", f"dir {directory / f'sentinel{n}'}", "loglevel notice", *lines],
            )
            for n, port in enumerate(ports[SERVERS:])
        ]  # fmt: skip

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/0?service_name={NAME}"

    def start(self) -> None:
        for some in (self.nodes, self.sentinels):
            for node in some:
                node.prepare()
                node.start()
            for node in some:
                node.wait_ready()
        self.wait_whole()

    def stop(self) -> None:
        for node in (*self.sentinels, *self.nodes):
            node.kill()
            node.clean_up()
            node.close()

    def master(self) -> Node:
        """Return the one that most sentinels name."""
        named = [one.master() for one in self.sentinels]
        return next(
            node for node in self.nodes
            if named.count(("127.0.0.1", node.port)) > len(self.sentinels) // 2
        )  # fmt: skip

    def replicas(self) -> list[Node]:
        master = self.master()
        return [node for node in self.nodes if node is not master]

    def is_whole(self) -> bool:
        """Tell whether all sentinels name one master, all other servers follow it, and the file of
        each is complete.
        """
        named = {one.master() for one in self.sentinels}
        if len(named) != 1 or None in named:
            return False
        master, *others = sorted(self.nodes, key=lambda node: ("127.0.0.1", node.port) not in named)
        said = master.replication()
        return (
            said.get("role") == "master"
            and said.get("connected_slaves") == str(len(others))
            and all(node.replication().get("master_link_status") == "up" for node in others)
            and all(node.replication().get("master_port") == str(master.port) for node in others)
            and all(node.is_on_disk for node in self.nodes)
            and all(self._knows_all(one) for one in self.sentinels)
        )

    def _knows_all(self, sentinel: SentinelNode) -> bool:
        """Tell whether a sentinel knows the others, and every server as well: it can promote."""
        state = call(sentinel._connections, "SENTINEL", "MASTER", NAME)
        said = dict(zip(state[::2], state[1::2], strict=True))
        return bool(
            said[b"num-slaves"] == str(SERVERS - 1).encode()
            and said[b"num-other-sentinels"] == str(SENTINELS - 1).encode()
            and said[b"flags"] == b"master"
        )

    def wait_whole(self, seconds: float = 60.0) -> None:
        wait_until(self._is_whole, seconds, "sentinels, master and replicas")

    def _is_whole(self) -> bool:
        try:
            return self.is_whole()
        except LogError:
            return False

    def wait_promoted(self, old: Node, seconds: float = 30.0) -> Node:
        """Wait until most sentinels name another master, which says so itself; return it."""
        found: list[Node] = []

        def is_promoted() -> bool:
            with suppress(StopIteration):
                found[:] = [self.master()]
            return bool(found) and found[0] is not old and found[0].is_master

        wait_until(is_promoted, seconds, "a promotion")
        return found[0]

    def mend(self) -> None:
        """Let all that were replaced be replicas, dead or not; return once all is whole."""
        wait_until(self._has_master, 30, "a master")
        master = self.master()
        for node in self.nodes:
            if not node.running:
                node.follow(master)
                node.start()
                node.wait_ready()
            elif node is not master and node.is_master:
                node.ask("REPLICAOF", "127.0.0.1", master.port)
        self.wait_whole()

    def _has_master(self) -> bool:
        with suppress(StopIteration):
            return self.master().is_master
        return False

    def switch(self) -> Node:
        """Let the sentinels promote a replica while the master lives; return the new master.

        The old one is a master for some ten seconds more.
        """
        old = self.master()
        self.sentinels[0].ask("SENTINEL", "FAILOVER", NAME)
        new = self.wait_promoted(old)
        address = "127.0.0.1", new.port
        wait_until(lambda: all(one.master() == address for one in self.sentinels), 10)
        return new

    @contextmanager
    def cut_off(self, master: Node) -> Iterator[None]:
        """Let a master answer without passing anything on; for less than `DOWN_AFTER_MS`."""
        replicas = [node for node in self.nodes if node is not master]
        for node in replicas:
            node.pause()
        try:
            master.ask("CLIENT", "KILL", "TYPE", "replica")
            yield
        finally:
            for node in replicas:
                node.go_on()

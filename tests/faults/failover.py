"""`make faults PROFILE=failover`: Redis behind sentinels, and a PostgreSQL with a standby.

Log, cache and broker are on a master with two replicas, which three sentinels watch; the primary
has one standby. Masters and primaries die, hang and are replaced, under load.
"""

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil

from footfall.eventlog import LogError
from loadtest.common.verdict import Verdict
from tests.faults.campaign import Say
from tests.faults.fault_plan import FAILOVER_KINDS, POSTGRES, REDIS, Planned
from tests.faults.injection import INJECTORS, Injector
from tests.faults.intervals import Interval
from tests.faults.machine.evicted import views
from tests.faults.machine.machine import Machine
from tests.faults.replicated import PARTITIONS, Gone, ReplicatedCampaign, ReplicatedService
from tests.faults.rolled_back import kept_in
from tests.faults.service import Service
from tests.support.postgres_pair import PostgresPair
from tests.support.redis_sentinel import Node, RedisSentinel

WAIT, MIN_REPLICAS = "COUNTERS_WAIT_REPLICAS", "REDIS_MIN_REPLICAS"
"""Variables of the environment: how much a master must have passed on. 0 by default."""


class FailoverService(ReplicatedService):
    """The service on stores that fail over."""

    def __init__(
        self, directory: Path, port: int = 0, *, machine: Machine | None = None, **variables: str
    ) -> None:
        super().__init__(directory, port, machine=machine, **variables)
        for name in ("sentinel", "pair"):  # ports and identity are others each time
            shutil.rmtree(directory / name, ignore_errors=True)
        minimum = os.environ.get(MIN_REPLICAS, "0")
        limits = {"min-replicas-to-write": minimum, "min-replicas-max-lag": "2"}
        self.sentinel = RedisSentinel(directory / "sentinel", limits)
        self.pair = PostgresPair(directory / "pair")
        self.wait = self.variables.setdefault(WAIT, os.environ.get(WAIT, "0"))
        self.modes = f"WAIT {self.wait}, min-replicas-to-write {minimum}"
        self.rolled_back: Counter[bytes] = Counter()
        """Events that the standby had not when it was promoted, and no log has, by their bodies."""
        self.locks = {REDIS: threading.Lock(), POSTGRES: threading.Lock()}
        self.by_store: dict[str, list[Interval]] = {REDIS: [], POSTGRES: []}
        # Servers end with the thread that started them: see Program.process_options.
        self._starters = {store: ThreadPoolExecutor(1) for store in self.locks}

    def __enter__(self) -> "FailoverService":
        with ExitStack() as stack:
            stack.callback(self._stop)
            self.run(REDIS, self.sentinel.start)
            self.run(POSTGRES, self.pair.start)
            self.variables |= {
                "REDIS_URL": self.sentinel.url,
                "DATABASE_URL": self.pair.url,
                "COUNTERS_PARTITIONS": str(PARTITIONS),
            }
            super().__enter__()
            stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._stop()

    def _stop(self) -> None:
        self.sentinel.stop()
        self.pair.stop()
        for one in self._starters.values():
            one.shutdown()

    def run(self, store: str, do: Callable[[], object]) -> None:
        """Do what starts servers of this store."""
        self._starters[store].submit(do).result()

    def promoted(self, store: str, began: float) -> None:
        """Note that another server has the place of one that died, or was told to go."""
        self.by_store[store].append((began, time.monotonic()))
        self.promotions.append(self.by_store[store][-1])

    @property
    def log_url(self) -> str:
        return self.sentinel.url

    @property
    def database_url(self) -> str:
        return self.pair.url

    def process(self, name: str) -> psutil.Process | None:
        if name != "postgres":
            return super().process(name)
        server = self.pair.primary.process
        return psutil.Process(server.pid) if server and server.poll() is None else None


# --- Redis ----------------------------------------------------------------------------------------


def at_sentinel(inject: Callable[[FailoverService, Planned], Iterator[None]]) -> Injector:
    """Return an injector: one at a time, when all are whole; its cost is measured."""

    def injector(service: Service, planned: Planned) -> Iterator[None]:
        assert isinstance(service, FailoverService)
        with service.locks[REDIS]:
            service.sentinel.wait_whole()
            service.keep_files(node.directory for node in service.sentinel.nodes)
            yield from inject(service, planned)
            service.sentinel.wait_whole()
            service.measure(planned.name)

    return injector


def master_killed(service: FailoverService, planned: Planned) -> Iterator[None]:
    old = service.sentinel.master()
    began = time.monotonic()
    old.kill()
    yield from _replaced(service, old, began)


def replicas_behind(service: FailoverService, planned: Planned) -> Iterator[None]:
    """Let it go on without its replicas for half a second, then kill it: this loses events."""
    old = service.sentinel.master()
    with service.sentinel.cut_off(old):
        time.sleep(0.5)
        began = time.monotonic()
        old.kill()
    yield from _replaced(service, old, began)


def _replaced(service: FailoverService, old: Node, began: float) -> Iterator[None]:
    try:
        service.sentinel.wait_promoted(old)
        service.promoted(REDIS, began)
        yield
    finally:
        # Its file says that it is a master. The sentinels make a replica of it.
        service.run(REDIS, old.start)
        old.wait_ready()


def master_stopped(service: FailoverService, planned: Planned) -> Iterator[None]:
    """Stop it until it is replaced. When it goes on, it takes itself for the master for a while."""
    old = service.sentinel.master()
    began = time.monotonic()
    old.pause()
    try:
        service.sentinel.wait_promoted(old)
        service.promoted(REDIS, began)
        yield
    finally:
        old.go_on()


def switched(service: FailoverService, planned: Planned) -> Iterator[None]:
    """Have a replica promoted by hand. The old master takes writes for some ten seconds more."""
    began = time.monotonic()
    service.sentinel.switch()
    service.promoted(REDIS, began)
    yield


def replica_killed(service: FailoverService, planned: Planned) -> Iterator[None]:
    yield from _without(service, service.sentinel.replicas()[int(planned.chance * 2)])


def sentinel_killed(service: FailoverService, planned: Planned) -> Iterator[None]:
    yield from _without(service, service.sentinel.sentinels[int(planned.chance * 3)])


def _without(service: FailoverService, node: Node) -> Iterator[None]:
    node.kill()
    try:
        yield
    finally:
        service.run(REDIS, node.start)
        node.wait_ready()


# --- PostgreSQL -----------------------------------------------------------------------------------


def at_pair(inject: Callable[[FailoverService, Planned], Iterator[None]]) -> Injector:
    def injector(service: Service, planned: Planned) -> Iterator[None]:
        assert isinstance(service, FailoverService)
        with service.locks[POSTGRES]:
            service.pair.wait_whole()
            yield from inject(service, planned)
            service.run(POSTGRES, service.pair.follow)

    return injector


def primary_killed(service: FailoverService, planned: Planned) -> Iterator[None]:
    began = time.monotonic()
    service.pair.promote()
    service.promoted(POSTGRES, began)
    yield


def primary_stopped(service: FailoverService, planned: Planned) -> Iterator[None]:
    """Stop all of it for a second, as a disk that hangs does; then it is shot and replaced."""
    began = time.monotonic()
    for process in [service.process("postgres"), *service.children("postgres")]:
        service.send(process, signal.SIGSTOP)
    time.sleep(1.0)
    service.pair.promote()
    service.promoted(POSTGRES, began)
    service.wake_all()
    yield


def standby_behind(service: FailoverService, planned: Planned) -> Iterator[None]:
    """Promote an asynchronous standby that is some seconds behind: its past is an older one."""
    with service.pair.cut_off():
        time.sleep(planned.lasting)
        began = time.monotonic()
        service.pair.promote()
        service.promoted(POSTGRES, began)
    with service.pair.served_alone() as old:
        had = kept_in(service, old)
    for event, times in (had - kept_in(service, service.pair.primary)).items():
        if event.id:  # the log may have it, too: that is seen at the end
            service.gone.setdefault(event.id, Gone(planned.name, event.body))
        else:
            service.rolled_back[event.body] += times
    yield


FAILOVER_INJECTORS: Mapping[str, Injector] = {
    **{name: INJECTORS[name] for name in FAILOVER_KINDS if name in INJECTORS},
    "the master killed, a replica promoted": at_sentinel(master_killed),
    "the master killed, its replicas behind": at_sentinel(replicas_behind),
    "the master stopped, a replica promoted": at_sentinel(master_stopped),
    "a replica promoted by hand": at_sentinel(switched),
    "a replica of Redis killed": at_sentinel(replica_killed),
    "a sentinel killed": at_sentinel(sentinel_killed),
    "the primary killed, its standby promoted": at_pair(primary_killed),
    "the primary stopped, its standby promoted": at_pair(primary_stopped),
    "an asynchronous standby promoted, behind": at_pair(standby_behind),
}


class FailoverCampaign(ReplicatedCampaign):
    injectors = FAILOVER_INJECTORS

    def __init__(self, service: FailoverService, planned: Sequence[Planned], say: Say) -> None:
        super().__init__(service, planned, say)
        self._failing = service

    def gone(self) -> Mapping[str, int]:
        return Counter(super().gone()) + views(self._failing.rolled_back.elements())

    def notes(self, verdict: Verdict[str]) -> dict[str, str]:
        service = self._failing
        return {
            "replication of Redis": service.modes,
            **{
                f"promotions of {name}": _lengths(service.by_store[store])
                for name, store in (("Redis", REDIS), ("PostgreSQL", POSTGRES))
            },
            **super().notes(verdict),
            "spilled events that a standby lost": str(service.rolled_back.total()),
        }

    def _is_whole(self, part: str) -> bool:
        if part == REDIS:
            try:
                return self._failing.sentinel.is_whole()
            except LogError:
                return False
        if part == POSTGRES:
            return self._failing.pair.is_whole() and super()._is_whole(part)
        return super()._is_whole(part)


def _lengths(intervals: Sequence[Interval]) -> str:
    seconds = [end - start for start, end in intervals]
    longest = f", the longest took {max(seconds):.1f} s" if seconds else ""
    return f"{len(seconds)}{longest}"

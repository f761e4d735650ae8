"""Injects wrong clocks, full disks and an evicting Redis, and undoes them."""

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import product

import psutil
import psycopg2

from tests.faults.fault_plan import CENTURIES, CLOCK, EVICTING, NAMED_SECONDS, Planned
from tests.faults.machine.clocks import LOOK, PROCESSES
from tests.faults.service import Service

Injector = Callable[[Service, Planned], Iterator[None]]

# --- Clocks ---------------------------------------------------------------------------------------

DISTANCES = (
    timedelta(seconds=5), timedelta(minutes=1), timedelta(hours=1), timedelta(days=30),
    timedelta(days=60),
)  # fmt: skip
JUMPS = [sign * distance.total_seconds() for distance, sign in product(DISTANCES, (1, -1))]
YEARS = (datetime(1995, 1, 1, tzinfo=UTC), datetime(2230, 1, 1, tzinfo=UTC))
PRUNED_SECONDS = 1.0
POSITIONS = """
    UPDATE counters_partition SET position = '', producer_id = NULL, sequence = NULL, "offset" = 0
"""


def jump_of(planned: Planned) -> float:
    """Return by how many seconds a clock jumps."""
    if planned.name == CENTURIES:
        year = YEARS[int(planned.chance * len(YEARS))]
        return (year - datetime.now(UTC)).total_seconds()
    return JUMPS[int(planned.chance * len(JUMPS))]


def detail(planned: Planned) -> str:
    """Return what its name does not say."""
    if planned.kind.part != CLOCK:
        return ""
    by = round(jump_of(planned))
    return f"{'-' if by < 0 else '+'}{timedelta(seconds=abs(by))}".removesuffix(", 0:00:00")


def clock_of(*names: str) -> Injector:
    """Let the clocks of these processes jump by seconds, an hour, a month or two, and back."""

    def jump(service: Service, planned: Planned) -> Iterator[None]:
        assert service.clocks
        with service.clocks.wrong(names, jump_of(planned)):
            time.sleep(LOOK)  # until each has seen it
            yield
            _prune_and_read_again(service)
        time.sleep(LOOK)
        _prune_and_read_again(service)

    return jump


def _prune_and_read_again(service: Service) -> None:
    """Remove old rows, then forget how far the log was read: what proves the counts stays."""
    service.send_task("counters.prune", "celery")
    time.sleep(PRUNED_SECONDS)
    with suppress(psycopg2.Error), service.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
        cursor.execute(POSITIONS)
        cursor.connection.commit()
    time.sleep(PRUNED_SECONDS)


# --- Disks ----------------------------------------------------------------------------------------


def disk_full(*names: str) -> Injector:
    """Leave no room where these data are, or (if not root) let none of their files grow."""

    def fill(service: Service, planned: Planned) -> Iterator[None]:
        with service.disks.full(names) if service.disks else _limited(service, names):
            if "service" in names:  # who starts it again writes its pid
                service.send(service.process("worker"), signal.SIGKILL)
            if "service/postgres" in names:
                _write_much(service)
            yield

    return fill


def _write_much(service: Service) -> None:
    """Let PostgreSQL need new files, in which it has no room."""
    for statement in ("SELECT pg_switch_wal()", "SELECT pg_switch_wal()", "CHECKPOINT"):
        with suppress(psycopg2.Error), service.cursor() as cursor:
            cursor.connection.autocommit = True
            cursor.execute(statement)


@contextmanager
def _limited(service: Service, names: tuple[str, ...]) -> Iterator[None]:
    processes = [process for name in names for process in _writers(service, name)]
    _limit(service, processes, 0)
    try:
        yield
    finally:
        _limit(service, [one for name in names for one in _writers(service, name)], None)


def _writers(service: Service, name: str) -> list[psutil.Process]:
    """Return the processes that write to the disk with this name."""
    found = [service.process(name.removeprefix("service/"))]
    if name == "service":
        with suppress(psutil.Error):
            found = [psutil.Process(service.copy.process.pid)]
    if name == "service/postgres":
        found += service.children("postgres")
    return [process for process in found if process]


def _limit(service: Service, processes: list[psutil.Process], size: int | None) -> None:
    limit = resource.RLIM_INFINITY if size is None else size
    for process in processes:
        with suppress(psutil.Error, ProcessLookupError):
            if service.is_ours(process):
                process.rlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


# --- Eviction -------------------------------------------------------------------------------------


ALL, EXPIRING = "allkeys-lru", "volatile-lru"


def evicts(policy: str) -> Injector:
    """Give Redis little memory, and a policy that makes room."""

    def evict(service: Service, planned: Planned) -> Iterator[None]:
        with service.redis.client() as client:
            before = client.config_get("maxmemory*")
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory-policy", policy)
            client.config_set("maxmemory", used if planned.chance < 0.5 else 1_000_000)
            try:
                yield
            finally:
                for name in ("maxmemory", "maxmemory-policy"):
                    client.config_set(name, before[name])

    return evict


def evicts_any_key(service: Service, planned: Planned) -> Iterator[None]:
    """Evict parts of the log, too. The service must say it: `/readyz` names the policy."""
    named, over = threading.Event(), threading.Event()
    watching = threading.Thread(target=_watch_ready, args=(service, named, over))
    files = service.redis.store.directory
    with service.redis.client() as client, service.evicted.watched(client, files):
        watching.start()
        yield from evicts(ALL)(service, planned)
    over.set()
    watching.join()
    if planned.lasting > NAMED_SECONDS and not named.is_set():
        raise TimeoutError(f"/readyz did not name the policy within {NAMED_SECONDS:g} s")


def _watch_ready(service: Service, named: threading.Event, over: threading.Event) -> None:
    until = time.monotonic() + NAMED_SECONDS
    while time.monotonic() < until and not over.wait(0.5):
        status, body = service.copy.get("/readyz")
        if status == HTTPStatus.SERVICE_UNAVAILABLE and ALL.encode() in body:
            named.set()


MACHINE_INJECTORS: Mapping[str, Injector] = {
    "the clock of the web server": clock_of("web"),
    CENTURIES: clock_of("web"),
    **{
        f"the clock of {name}": clock_of(process)
        for name, process in {
            "the flusher": "flusher", "the worker": "worker", "Redis": "redis",
            "PostgreSQL": "postgres",
        }.items()
    },
    "the clock of the machine": clock_of(*PROCESSES),
    "the disk of Redis is full": disk_full("redis"),
    "the disk of PostgreSQL is full": disk_full("service/postgres"),
    "the disk is full": disk_full("redis", "service/postgres", "service"),
    "Redis evicts keys that expire": evicts(EXPIRING),
    EVICTING: evicts_any_key,
}  # fmt: skip

"""Injects each kind of fault into a running service, and undoes it."""

import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2

from loadtest.common.stores import start
from loadtest.common.waiting import wait_until
from tests.faults.fault_plan import Planned
from tests.faults.machine.faults import MACHINE_INJECTORS
from tests.faults.service import Service
from tests.support.proxy import Fault, Proxy

TICKS = 20
Injector = Callable[[Service, Planned], Iterator[None]]


@contextmanager
def injected(service: Service, planned: Planned, injector: Injector) -> Iterator[None]:
    """Inject a planned fault; the end of the context undoes it, if that is possible."""
    yield from injector(service, planned)


def killed(name: str) -> Injector:
    def kill(service: Service, planned: Planned) -> Iterator[None]:
        _kill(service, service.process(name))
        yield

    return kill


def _kill(service: Service, process: psutil.Process | None) -> None:
    if process and service.send(process, signal.SIGKILL):
        process.wait(10)


def stopped(name: str) -> Injector:
    def stop(service: Service, planned: Planned) -> Iterator[None]:
        yield from _stopped(service, [service.process(name)])

    return stop


def child_killed(name: str) -> Injector:
    def kill(service: Service, planned: Planned) -> Iterator[None]:
        _kill(service, _one_of(service.children(name), planned.chance))
        yield

    return kill


def web_worker_stopped(service: Service, planned: Planned) -> Iterator[None]:
    yield from _stopped(service, [_one_of(service.children("web"), planned.chance)])


def postgres_stopped(service: Service, planned: Planned) -> Iterator[None]:
    """Stop all of its processes: it takes connections and does not answer."""
    yield from _stopped(service, [service.process("postgres"), *service.children("postgres")])


def _stopped(service: Service, processes: list[psutil.Process | None]) -> Iterator[None]:
    stopped = [process for process in processes if service.send(process, signal.SIGSTOP)]
    try:
        yield
    finally:
        for process in stopped:
            service.send(process, signal.SIGCONT)


def _one_of(processes: list[psutil.Process], chance: float) -> psutil.Process | None:
    return processes[int(chance * len(processes))] if processes else None


# --- Redis ----------------------------------------------------------------------------------------


def dies_writing(service: Service, planned: Planned) -> Iterator[None]:
    """Let its file grow by a few bytes only. With `appendfsync always` it exits in mid-entry."""
    with _file_limit(service, room=int(planned.chance * 300)):
        yield


def cannot_write(service: Service, planned: Planned) -> Iterator[None]:
    """MISCONF: it refuses writes while its file is full, and goes on when there is room.

    Only `everysec` does that. It is not killed meanwhile: what it has accepted is in its memory.
    """
    with service.redis.client() as client:
        client.config_set("appendfsync", "everysec")
        try:
            with _file_limit(service, room=0):
                yield
        finally:
            client.config_set("appendfsync", "always")


@contextmanager
def _file_limit(service: Service, room: int) -> Iterator[None]:
    process = service.process("redis")
    files = (service.redis.store.directory / "appendonlydir").glob("*.incr.aof")
    size = max(file.stat().st_size for file in files)
    _limit(service, process, size + room)
    try:
        yield
    finally:
        _limit(service, process, resource.RLIM_INFINITY)


def _limit(service: Service, process: psutil.Process | None, size: int) -> None:
    with suppress(psutil.Error, ProcessLookupError):
        if process and service.is_ours(process):
            process.rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def at_maxmemory(service: Service, planned: Planned) -> Iterator[None]:
    with service.redis.client() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1_000_000)
        try:
            yield
        finally:
            client.config_set("maxmemory", before)


# --- The network ----------------------------------------------------------------------------------


def network(fault: Fault) -> Injector:
    def break_it(service: Service, planned: Planned) -> Iterator[None]:
        service.proxy.delay = 0.02 + planned.chance * 1.4  # past the time-out of an append, too
        try:
            service.proxy.fault = fault
            yield
        finally:
            service.proxy.fault = Fault.NONE
            service.proxy.cut_mute()

    return break_it


def land_late(service: Service, planned: Planned) -> Iterator[None]:
    proxy: Proxy = service.proxy
    proxy.hold()
    try:
        yield
    finally:
        proxy.fault = Fault.NONE
        proxy.release()
        proxy.cut_mute()


# --- The projections ------------------------------------------------------------------------------

COUNTED = ("pages_page", "pages_content", "books_book", "films_film")
RAISE = """
    CREATE OR REPLACE FUNCTION faults_raise() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'a fault'; END $$;
    CREATE OR REPLACE TRIGGER faults_raise BEFORE {event} ON {table}
    EXECUTE FUNCTION faults_raise();
    ALTER TABLE {table} ENABLE TRIGGER faults_raise
"""
STOP_RAISING = "ALTER TABLE {table} DISABLE TRIGGER faults_raise"


def rows_locked(service: Service, planned: Planned) -> Iterator[None]:
    """Hold every row of every countable model, unless PostgreSQL dies meanwhile."""
    with suppress(psycopg2.Error), service.cursor() as cursor:
        for table in COUNTED:
            cursor.execute(f"SELECT id FROM {table} ORDER BY id FOR UPDATE")  # noqa: S608
        yield
        return
    yield  # PostgreSQL is away: there is nothing to lock


def projection_raises(service: Service, planned: Planned) -> Iterator[None]:
    """Let the totals of one model fail, or everything by the hour."""
    event, table = (
        ("UPDATE OF counter", "pages_content") if planned.chance < 0.5
        else ("INSERT", "counters_rollup")
    )  # fmt: skip
    began = _try(service, RAISE.format(event=event, table=table))
    yield
    if began:
        wait_until(lambda: _try(service, STOP_RAISING.format(table=table)), 60)


def _try(service: Service, statements: str) -> bool:
    with suppress(psycopg2.Error), service.cursor() as cursor:
        cursor.execute(statements)
        cursor.connection.commit()
        return True
    return False


# --- More than one -------------------------------------------------------------------------------


def two_beats(service: Service, planned: Planned) -> Iterator[None]:
    yield from _beside(service, "worker")


def ticks(service: Service, planned: Planned) -> Iterator[None]:
    service.send_task("counters.flush", "counters", TICKS)
    yield


def flush_beside(service: Service, planned: Planned) -> Iterator[None]:
    thread = threading.Thread(target=_flush, args=(service,))
    thread.start()
    yield
    thread.join()


def _flush(service: Service) -> None:
    with suppress(subprocess.TimeoutExpired):  # while Redis is away it cannot flush all
        service.manage("counters", "flush", timeout=15)


def _beside(service: Service, name: str) -> Iterator[None]:
    process = start(service.programs()[name], Path(os.devnull))
    try:
        yield
    finally:
        process.kill()
        process.wait()


INJECTORS: dict[str, Injector] = {
    **{f"{name} killed": killed(name) for name in ("flusher", "worker")},
    **{f"{name} stopped": stopped(name) for name in ("flusher", "worker")},
    "two beats": two_beats,
    "web worker killed": child_killed("web"),
    "web worker stopped": web_worker_stopped,
    "Redis killed": killed("redis"),
    "Redis stopped": stopped("redis"),
    "Redis dies writing: its file is full": dies_writing,
    "Redis cannot write: its disk is full": cannot_write,
    "Redis at maxmemory": at_maxmemory,
    "PostgreSQL killed": killed("postgres"),
    "a backend of PostgreSQL killed": child_killed("postgres"),
    "PostgreSQL stopped": postgres_stopped,
    "requests cut": network(Fault.CUT_BEFORE),
    "answers cut": network(Fault.CUT_AFTER),
    "answers swallowed": network(Fault.SWALLOW),
    "requests land late": land_late,
    "answers slow": network(Fault.DELAY),
    "ticks sent twenty times": ticks,
    "a flush beside the flusher": flush_beside,
    "rows of every countable model locked": rows_locked,
    "a projection raises": projection_raises,
    **MACHINE_INJECTORS,
}

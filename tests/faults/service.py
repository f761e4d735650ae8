"""The service that gets the faults: `python -m standalone`, and a Redis behind a proxy."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import redis
from celery import Celery

from loadtest.common.launcher import PLAIN, Copy
from loadtest.common.ports import free_port
from loadtest.common.stores import Redis, start
from loadtest.common.waiting import wait_until
from standalone import addresses, service
from standalone.configuration import ROOT, Configuration
from standalone.program import Program
from tests.faults.machine.clocks import VARIABLE, Clocks
from tests.faults.machine.evicted import Evicted
from tests.faults.machine.machine import Machine
from tests.support.proxy import Proxy

RESTART = 0.2  # seconds until a dead Redis is started again, as under `make run`
COUNTERS = """
    SELECT 'page ' || id, counter FROM pages_page
    UNION ALL SELECT 'content ' || id, counter FROM pages_content
"""
TARGETS = """
    SELECT page_id, 'content ' || content_id FROM pages_pagecontent
    UNION ALL SELECT id, 'page ' || id FROM pages_page
"""
SEGMENTS = "SELECT events, drained FROM counters_segment WHERE number > %s ORDER BY number"
MISSING = "SELECT coalesce(sum(missing), 0) FROM counters_partition"
DEAD_LETTERS = "SELECT count(*) FROM counters_deadletter"
# By content type, since an id is one of several models.
KINDS = """
    SELECT type.model || ' ' || target_id, sum(person), sum(robot + prefetch + monitor + library),
        sum(views - person - robot - prefetch - monitor - library)
    FROM counters_rollup JOIN django_content_type AS type ON type.id = content_type_id GROUP BY 1
"""
VISITORS = """
    SELECT type.model || ' ' || target_id, day::text, visitors
    FROM counters_visitorsketch JOIN django_content_type AS type ON type.id = content_type_id
    WHERE target_id > 0 AND NOT beside
"""
DROPPED = "SELECT dropped FROM counters_partition UNION ALL SELECT dropped FROM counters_projection"


@dataclass(frozen=True)
class Figures:
    """What the database says: of all time, so two of them are compared."""

    counters: Counter[str]
    """By the name of the target."""
    last_segment: int
    dropped: Counter[str]
    """Events, by the reason."""
    missing: int
    """Events that are told as lost in a store."""
    dead_letters: int
    kinds: Counter[str]
    """Views in rollups, by name of the target and kind: "content 7 people"."""


class RestartedRedis:
    """A Redis that is started again when it dies.

    clocks: one of them is its own.
    """

    def __init__(self, directory: Path, clocks: Clocks | None = None) -> None:
        self.store = Redis(directory)
        self.store.prepare()
        self._clocks = clocks
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._restart, daemon=True)

    def start(self) -> None:
        self._thread.start()
        wait_until(self.store.ready, 30)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self.store.stop()
        self.store.clean_up()

    def client(self) -> redis.Redis:
        """Return a client that does not use the proxy."""
        return redis.Redis.from_url(self.store.url, socket_timeout=5)

    def _restart(self) -> None:
        while not self._ended.is_set():
            if not self.store.running:
                self._start()
            self._ended.wait(RESTART)
        # The kernel ends it with the thread that has started it: see Program.process_options.
        self.store.stop()

    def _start(self) -> None:
        program = self.store.program()
        if self._clocks:
            program = dataclasses.replace(program, environment=self._clocks.given(program))
        # SIGXFSZ stays ignored: a full file is an error of write().
        with suppress(OSError):  # the disk of its log is full
            self.store.process = start(program, self.store.log, restore_signals=False)


class ClockedCopy(Copy):
    """The whole service; each process has a clock, if the environment names the clocks."""

    def start(self) -> None:
        module = "tests.faults.machine.standalone" if VARIABLE in self.environment else "standalone"
        program = Program("footfall", [sys.executable, "-m", module], ROOT, self.environment)
        self.process = start(program, self.log)


class Service:
    """One running copy of the service. Everything here ends with the `with`.

    machine: has its data on disks that can be full, and the clocks of its processes.
    """

    def __init__(
        self, directory: Path, port: int = 0, *, machine: Machine | None = None, **variables: str
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.clocks = machine.clocks if machine else None
        self.disks = machine.disks if machine else None
        data = self.disks.directory if self.disks else directory
        self.data_dir = data / "service"
        self.data_dir.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.redis = RestartedRedis(data / "redis", self.clocks)
        self.proxy = Proxy(self.redis.store.url)
        # Clients are told apart by what they say that a proxy has passed on.
        own = {"LOG_LEVEL": "WARNING", "COUNTERS_PROXIES": "1"}
        self.variables = {**own, **variables, "REDIS_URL": self.proxy.url}
        self.evicted = Evicted()
        # The kernel ends a program with the thread that started it: see Program.process_options.
        self._starter = ThreadPoolExecutor(1)
        self._starting = threading.Lock()
        if self.clocks:
            self.variables[VARIABLE] = str(self.clocks.directory)

    def __enter__(self) -> "Service":
        self.redis.start()
        self.proxy.__enter__()
        (self.data_dir / "output").unlink(missing_ok=True)  # an earlier run's says "ready", too
        self.copy = ClockedCopy(self.data_dir, self.port, **self.variables)
        try:
            self.copy.wait_ready(90)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.wake_all()
        if self.copy.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.copy.stop()
        self.copy.end()
        self.proxy.__exit__(None, None, None)
        self.redis.stop()
        self._starter.shutdown()

    # --- Its processes ----------------------------------------------------------------------------

    def process(self, name: str) -> psutil.Process | None:
        """Return the process with this name, if it runs and this process has started it."""
        pid = self.redis.store.process and self.redis.store.process.pid
        try:
            if name != "redis":
                pid = self.copy.pid(name)
            process = psutil.Process(pid or -1)
            return process if self.is_ours(process) else None
        except (psutil.Error, OSError, ValueError):  # nor is the list of pids, on a full disk
            return None

    def children(self, name: str) -> list[psutil.Process]:
        process = self.process(name)
        try:
            return process.children() if process else []
        except psutil.Error:
            return []

    def is_ours(self, process: psutil.Process) -> bool:
        """Tell whether it is a descendant of this process: nothing else is ever sent a signal."""
        return os.getpid() in [parent.pid for parent in process.parents()]

    def send(self, process: psutil.Process | None, number: signal.Signals) -> bool:
        """Send a signal; return False if the process is gone, even if its pid is used again."""
        try:
            if process is None or not self.is_ours(process):
                return False
            process.send_signal(number)
        except psutil.Error:
            return False
        return True

    def wake_all(self) -> None:
        """Continue all stopped processes: a stopped process does not end."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_STOPPED:
                    process.send_signal(signal.SIGCONT)

    def is_up(self) -> bool:
        """Return False, and start it again, if all of it has ended: `make run` must not."""
        with self._starting:
            if self.copy.process.poll() is None:
                return True
            self._starter.submit(self.copy.start).result()
            return False

    def programs(self) -> dict[str, Program]:
        """Return the programs of the service, to run one of them twice."""
        configuration = Configuration(port=self.port, data_dir=self.data_dir)
        return {
            one.name: one
            for one in service.programs(configuration, self.environment(configuration))
        }

    def environment(self, configuration: Configuration) -> dict[str, str]:
        stores = {"DATABASE_URL": self.database_url, "REDIS_URL": self.variables["REDIS_URL"]}
        return service.environment(configuration, {**PLAIN, **self.variables}, stores)

    def manage(self, *words: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        return self.copy.manage(*words, timeout=timeout)

    def send_task(self, name: str, queue: str, times: int = 1) -> None:
        """Send a Celery task, unless the broker is away."""
        app = Celery(broker=self.proxy.url, set_as_current=False)
        app.conf.broker_transport_options = {"socket_timeout": 1, "socket_connect_timeout": 1}
        with suppress(Exception), app.connection_for_write() as connection:
            for _ in range(times):
                app.send_task(
                    name, queue=queue, connection=connection, ignore_result=True, retry=False
                )

    # --- Its database -----------------------------------------------------------------------------

    @property
    def database_url(self) -> str:
        url = addresses.read(self.data_dir, addresses.DATABASE_URL)
        assert url
        return url

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        with closing(psycopg2.connect(self.database_url, connect_timeout=5)) as connection:
            yield connection.cursor()

    def figures(self) -> Figures:
        with self.cursor() as cursor:
            cursor.execute(COUNTERS)
            counters = Counter(dict(cursor.fetchall()))
        return Figures(
            counters, self.last_segment(), self._dropped(), self._number(MISSING),
            self._number(DEAD_LETTERS), self._kinds(),
        )  # fmt: skip

    def _kinds(self) -> Counter[str]:
        kinds: Counter[str] = Counter()
        for name, *views in self.rows(KINDS):
            columns = zip(("people", "robots", "unknown"), views, strict=True)
            kinds.update({f"{name} {column}": int(n) for column, n in columns})
        return kinds

    def agents(self) -> dict[int, int]:
        """Return the kinds of all agents whose string is known, by their 64 bits."""
        rows = self.rows("SELECT hash, kind FROM counters_agent WHERE string <> ''")
        return {one % 2**64: kind for one, kind in rows}

    def visitors(self) -> dict[tuple[str, str], int]:
        """Return the visitors by name of the target and day."""
        return {(name, day): visitors for name, day, visitors in self.rows(VISITORS)}

    def salts(self) -> set[bytes]:
        return {bytes(value) for (value,) in self.rows("SELECT value FROM counters_salt")}

    def rows(self, query: str) -> list[Any]:
        with self.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def targets(self) -> Mapping[int, list[str]]:
        """Return the targets of a read of each page."""
        found: dict[int, list[str]] = {}
        with self.cursor() as cursor:
            cursor.execute(TARGETS)
            for page, name in cursor.fetchall():
                found.setdefault(page, []).append(name)
        return found

    def last_segment(self) -> int:
        return self._number("SELECT coalesce(max(number), 0) FROM counters_segment")

    def segments_after(self, last: int) -> list[tuple[int, int]]:
        """Return (events, spilled ones of these) of each later segment."""
        with self.cursor() as cursor:
            cursor.execute(SEGMENTS, (last,))
            return list(cursor.fetchall())

    def _number(self, query: str) -> int:
        with self.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetchone()[0])

    def _dropped(self) -> Counter[str]:
        dropped: Counter[str] = Counter()
        with self.cursor() as cursor:
            cursor.execute(DROPPED)
            for (reasons,) in cursor.fetchall():
                dropped.update(reasons)
        return dropped

    def database_answers(self) -> bool:
        try:
            with self.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            return False
        return True

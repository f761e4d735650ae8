"""The service that gets the faults: `python -m standalone`, and a Redis behind a proxy."""

import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import redis

from loadtest.common.launcher import PLAIN, Copy
from loadtest.common.ports import free_port
from loadtest.common.stores import Redis, start
from loadtest.common.waiting import wait_until
from standalone import addresses, service
from standalone.configuration import Configuration
from standalone.program import Program
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
DROPPED = "SELECT dropped FROM counters_partition UNION ALL SELECT dropped FROM counters_projection"


class RestartedRedis:
    """A Redis that is started again when it dies."""

    def __init__(self, directory: Path) -> None:
        self.store = Redis(directory)
        self.store.prepare()
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
        # SIGXFSZ stays ignored: a full file is an error of write().
        self.store.process = start(self.store.program(), self.store.log, restore_signals=False)


class Service:
    """One running copy of the service. Everything here ends with the `with`."""

    def __init__(self, directory: Path, port: int = 0, **variables: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.data_dir = directory / "service"
        self.data_dir.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.redis = RestartedRedis(directory / "redis")
        self.proxy = Proxy(self.redis.store.url)
        self.variables = {"LOG_LEVEL": "WARNING", **variables, "REDIS_URL": self.proxy.url}

    def __enter__(self) -> "Service":
        self.redis.start()
        self.proxy.__enter__()
        (self.data_dir / "output").unlink(missing_ok=True)  # an earlier run's says "ready", too
        self.copy = Copy(self.data_dir, self.port, **self.variables)
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

    # --- Its processes ----------------------------------------------------------------------------

    def process(self, name: str) -> psutil.Process | None:
        """Return the process with this name, if it runs and this process has started it."""
        pid = self.redis.store.process and self.redis.store.process.pid
        if name != "redis":
            pid = self.copy.pid(name)
        try:
            process = psutil.Process(pid or -1)
            return process if self.is_ours(process) else None
        except (psutil.Error, ValueError):
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

    def counters(self) -> dict[str, int]:
        """Return every counter by the name of its target."""
        with self.cursor() as cursor:
            cursor.execute(COUNTERS)
            return dict(cursor.fetchall())

    def targets(self) -> Mapping[int, list[str]]:
        """Return the targets of a read of each page."""
        found: dict[int, list[str]] = {}
        with self.cursor() as cursor:
            cursor.execute(TARGETS)
            for page, name in cursor.fetchall():
                found.setdefault(page, []).append(name)
        return found

    def last_segment(self) -> int:
        with self.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(number), 0) FROM counters_segment")
            last: int = cursor.fetchone()[0]
            return last

    def segments_after(self, last: int) -> list[tuple[int, int]]:
        """Return (events, spilled ones of these) of each later segment."""
        with self.cursor() as cursor:
            cursor.execute(SEGMENTS, (last,))
            return list(cursor.fetchall())

    def dropped(self) -> Counter[str]:
        """Return how many events were dropped so far, by reason."""
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

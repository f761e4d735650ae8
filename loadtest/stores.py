"""The two stores of a bench, and what can be read off them: databases, WAL, memory."""

import re
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import redis

from standalone.program import user_options
from standalone.stores import Postgres, Redis

# Of PostgreSQL's own statistics these would lag by ten seconds, and not tell a load from the next.
RECORD = re.compile(
    r"^(?:Heap/(?P<kind>INSERT|UPDATE|HOT_UPDATE|DELETE)|Heap2/MULTI_INSERT)(?:\+INIT)? +(?P<n>\d+)"
)
FULL_PAGES = re.compile(r"^Total +\d+ +(?:\d+ \S+) +(?P<bytes>\d+)")


@dataclass(frozen=True)
class Written:
    """What went through the write-ahead log between two points of it."""

    wal_bytes: int
    full_page_bytes: int
    """Of these, whole pages that are logged at their first change after a checkpoint."""
    rows: int
    hot_rows: int
    """Updated without touching an index (heap-only tuples)."""


class Stores:
    """An embedded PostgreSQL and Redis, in `directory`, with the settings of `make run`."""

    def __init__(self, directory: Path) -> None:
        self.postgres = Postgres(directory / "postgres", {"wal_keep_size": "2GB"})
        self.redis = Redis(directory / "redis")

    def start(self) -> None:
        for store in (self.postgres, self.redis):
            store.prepare()
            store.start()
            store.wait_ready()

    def stop(self) -> None:
        for store in (self.redis, self.postgres):
            store.stop()
            store.clean_up()

    @property
    def pids(self) -> list[int]:
        return [store.process.pid for store in (self.postgres, self.redis) if store.process]

    def database_url(self, site: str) -> str:
        return self.postgres.url.rpartition("/")[0] + f"/{site}"

    def redis_url(self, number: int) -> str:
        return self.redis.url.replace("?db=0", f"?db={number}")

    def connect(self, site: str) -> Any:
        """Return a connection to a site's database, in autocommit."""
        address = urlsplit(self.database_url(site))
        host, _, port = address.netloc.rpartition("@")[2].partition(":")
        connection = psycopg2.connect(
            host=unquote(host), port=port, user=address.username, dbname=site
        )
        connection.autocommit = True
        return connection

    def execute(self, site: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        with closing(self.connect(site)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, site: str, template: str = "") -> None:
        """Make a site's database: empty, or a copy of another site's."""
        copied = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        self.execute("postgres", f"CREATE DATABASE {site}{copied}")

    def wal_position(self) -> str:
        return str(self.execute("postgres", "SELECT pg_current_wal_flush_lsn()")[0][0])

    def written(self, start: str, end: str) -> Written:
        """Return what was written between two positions of the log."""
        if start == end:
            return Written(0, 0, 0, 0)
        done = subprocess.run(
            [str(self.postgres.binaries / "pg_waldump"), "--stats=record",
             f"--path={self.postgres.data / 'pg_wal'}", f"--start={start}", f"--end={end}"],
            check=True, capture_output=True, text=True, **user_options(self.postgres.uid),
        )  # fmt: skip
        length = self.execute("postgres", "SELECT pg_wal_lsn_diff(%s, %s)", end, start)[0][0]
        return read_wal_statistics(done.stdout, int(length))

    def memory(self, number: int) -> int:
        """Return the bytes that all keys of one Redis database take."""
        with redis.Redis.from_url(self.redis_url(number)) as client:
            keys = list(client.scan_iter(count=10_000))
            pipeline = client.pipeline(transaction=False)
            for key in keys:
                pipeline.memory_usage(key, samples=0)
            return sum(size or 0 for size in pipeline.execute())


def read_wal_statistics(text: str, length: int) -> Written:
    """Return what `pg_waldump --stats=record` says in `text` of `length` bytes of log."""
    rows = hot = full_pages = 0
    for line in text.splitlines():
        if found := RECORD.match(line):
            rows += int(found["n"])
            hot += int(found["n"]) if found["kind"] == "HOT_UPDATE" else 0
        elif found := FULL_PAGES.match(line):
            full_pages = int(found["bytes"])
    return Written(length, full_pages, rows, hot)

"""The two stores of a bench, and what can be read off them: databases, WAL, memory."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import redis

from loadtest.common.stores import Postgres, Redis
from loadtest.systems.wal import ELSEWHERE, Written, read_log
from standalone.program import user_options

TABLES = """
    SELECT database.oid || '/' || pg_relation_filenode(relation.oid),
        coalesce(indexed.relname, relation.relname)
    FROM pg_class relation
    JOIN pg_database database ON datname = current_database()
    LEFT JOIN pg_index ON indexrelid = relation.oid
    LEFT JOIN pg_class indexed ON indexed.oid = indrelid
    WHERE relation.relnamespace = 'public'::regnamespace AND relation.relkind IN ('r', 'i')
"""


class Stores:
    """An embedded PostgreSQL and Redis, in `directory`, with the settings of `make run`."""

    def __init__(self, directory: Path) -> None:
        self.postgres = Postgres(directory / "postgres", {"wal_keep_size": "2GB"})
        self.redis = Redis(directory / "redis")

    @property
    def roots(self) -> dict[str, int]:
        """Return the first process of each store."""
        stores = (self.postgres, self.redis)
        return {store.name: store.process.pid for store in stores if store.process}

    def database_url(self, site: str) -> str:
        return self.postgres.url.rpartition("/")[0] + f"/{site}"

    def redis_url(self, number: int) -> str:
        return self.redis.url.replace("?db=0", f"?db={number}")

    def broker_url(self, number: int) -> str:
        """Return the same database of Redis as Celery names it."""
        path = self.redis.url.removeprefix("unix://").partition("?")[0]
        return f"redis+socket://{path}?virtual_host={number}"

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

    def written(self, site: str, start: str, end: str) -> Written:
        """Return what was written between two positions of the log, into the tables of a site."""
        if start == end:
            return Written()
        command = [str(self.postgres.binaries / "pg_waldump"), f"--start={start}", f"--end={end}",
                   f"--path={self.postgres.data / 'pg_wal'}"]  # fmt: skip
        tables = {str(name): str(table) for name, table in self.execute(site, TABLES)}
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # where it starts reading
            text=True,
            **user_options(self.postgres.uid),
        ) as dump:
            written = read_log(dump.stdout or (), tables)
        if dump.returncode:
            raise OSError(f"pg_waldump ended with exit code {dump.returncode}")
        # What pads its pages belongs to no table.
        length = self.execute("postgres", "SELECT pg_wal_lsn_diff(%s, %s)", end, start)[0][0]
        written.wal[ELSEWHERE] += max(0, int(length) - written.wal.total() - written.full_pages)
        return written

    def command_statistics(self) -> dict[str, dict[str, int]]:
        """Return `calls` and `usec` of every command of Redis since its start."""
        with redis.Redis.from_url(self.redis_url(0)) as client:
            found: dict[str, dict[str, int]] = client.info("commandstats")
        return {name.removeprefix("cmdstat_"): told for name, told in found.items()}

    def memory(self, number: int) -> int:
        """Return the bytes that all keys of one Redis database take."""
        with redis.Redis.from_url(self.redis_url(number)) as client:
            keys = list(client.scan_iter(count=10_000))
            pipeline = client.pipeline(transaction=False)
            for key in keys:
                pipeline.memory_usage(key, samples=0)
            return sum(size or 0 for size in pipeline.execute())


@contextmanager
def stores_in(directory: Path) -> Iterator[Stores]:
    """Run fresh stores in `directory`; both end, and their data is removed."""
    data = directory / "stores"
    remove(data)
    data.mkdir(parents=True)
    data.chmod(0o711)
    stores = Stores(data)
    try:
        with stores.postgres.served(), stores.redis.served():
            yield stores
    finally:
        remove(data)


def remove(data: Path) -> None:
    """Remove the stores' data, also where it lies behind a link (see `standalone.directories`)."""
    for path in (data / "postgres", data / "redis"):
        if path.is_symlink():
            shutil.rmtree(path.resolve(), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)

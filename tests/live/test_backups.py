"""pg_basebackup and a copy of the append-only files, taken while pages are read, put back.

As docs/how-to/back-up.md says. In one direction the database is older than the log, in the other
the log is older than the database.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtest.common.launcher import Copy
from loadtest.common.ports import free_port
from loadtest.common.stores import Redis
from tests.support.databases import restore_migrated
from tests.support.postgres_pair import PostgresPair, Server
from tests.support.stores import temporary_directory

pytestmark = [pytest.mark.long, pytest.mark.postgres]
BEFORE, BETWEEN, AFTER = 60, 40, 10
FILES = "appendonlydir"


class Backups:
    """A service whose page 1 was read before, between and after its two backups."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pair = PostgresPair(directory / "pair")
        self.redis = Redis(directory / "redis")
        self.copy: Copy

    def run(self, *, log_first: bool) -> None:
        """Let it be read; back up database and log, one after the other; stop it."""
        server = self.pair.primary
        restore_migrated(server)
        server.prepare()
        server.start()
        server.wait_ready()
        self.redis.prepare()
        self.redis.start()
        self.redis.wait_ready()
        data = self.directory / "service"
        data.mkdir()
        stores = {"DATABASE_URL": server.url, "REDIS_URL": self.redis.url}
        self.copy = Copy(data, free_port(), **stores)
        self.copy.wait_ready(90)
        backups = [self.back_up_log, self.back_up_database]
        self.read(BEFORE)
        backups.pop(0 if log_first else 1)()
        self.read(BETWEEN)
        backups.pop()()
        self.read(AFTER)
        assert self.copy.manage("counters", "flush").returncode == 0
        self.copy.stop()
        self.redis.stop()
        server.stop()

    def read(self, times: int) -> None:
        for _ in range(times):
            assert self.copy.get("/api/v1/pages/1/")[0] == 200

    def back_up_database(self) -> None:
        """pg_basebackup, and what it takes to start from it."""
        backup = self.pair.standby
        backup.source = self.pair.primary
        backup.prepare()
        (backup.data / "standby.signal").unlink()

    def back_up_log(self) -> None:
        shutil.copytree(self.redis.directory / FILES, self.directory / FILES)

    def restore(self, server: Server, *, older_log: bool) -> None:
        """Start the stores, and count what is there to be counted."""
        if older_log:
            shutil.rmtree(self.redis.directory / FILES)
            shutil.copytree(self.directory / FILES, self.redis.directory / FILES)
        self.redis.start()
        self.redis.wait_ready()
        server.start()
        server.wait_ready()
        self.copy.environment |= {"DATABASE_URL": server.url, "REDIS_URL": self.redis.url}
        assert self.copy.manage("counters", "flush").returncode == 0
        assert self.copy.manage("counters", "flush").stdout.startswith("0 events")
        audit = self.copy.manage("counters", "audit")
        assert audit.stdout.startswith("clean"), audit.stdout + audit.stderr

    def counted(self, server: Server) -> int:
        ((counter,),) = server.rows("SELECT counter FROM pages_page WHERE id = 1")
        return int(counter)

    def close(self) -> None:
        if hasattr(self, "copy"):
            self.copy.end()
        self.redis.kill()
        self.redis.clean_up()
        self.pair.stop()


@pytest.fixture
def backups(django_db_modify_db_settings: None) -> Iterator[Backups]:
    with ExitStack() as stack:
        found = Backups(temporary_directory(stack))
        stack.callback(found.close)
        yield found


@pytest.mark.parametrize("log", ["the last one", "its backup"])
def test_an_older_database_counts_again_what_the_log_has(backups: Backups, log: str) -> None:
    backups.run(log_first=False)

    backups.restore(backups.pair.standby, older_log=log == "its backup")

    lost = AFTER if log == "its backup" else 0
    assert backups.counted(backups.pair.standby) == BEFORE + BETWEEN + AFTER - lost


def test_an_older_log_doubles_nothing(backups: Backups) -> None:
    backups.run(log_first=True)

    backups.restore(backups.pair.primary, older_log=True)

    assert backups.counted(backups.pair.primary) == BEFORE + BETWEEN + AFTER

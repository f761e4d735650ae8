"""A PostgreSQL that fails over, as real processes: a primary and a standby that streams from it."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg2

from loadtest.common.stores import Postgres
from loadtest.common.waiting import wait_until
from standalone.stores.postgres import DATABASE, MAP, PORT, SUPERUSER

SYNCHRONOUS = "synchronous_standby_names"


class Server(Postgres):
    """One of the two. It begins as a copy of `source`, if there is one."""

    source: "Server | None" = None

    def copy(self, source: "Server") -> None:
        """Become a standby of `source`, with all of its data, whatever it had itself."""
        self.source = source
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        self.prepare()
        self.start()
        self.wait_ready()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement outside of a transaction; return its rows. Raises psycopg2.Error."""
        with closing(psycopg2.connect(self.url, connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def set(self, name: str, value: str) -> None:
        """Change a setting now, without a restart."""
        self.rows(f"ALTER SYSTEM SET {name} = '{value}'")
        self.rows("SELECT pg_reload_conf()")

    @property
    def is_primary(self) -> bool:
        with suppress(psycopg2.Error):
            return self.rows("SELECT pg_is_in_recovery()") == [(False,)]
        return False

    def shoot(self) -> None:
        """Kill all of its processes, stopped ones too: its machine is off."""
        running = self.process is not None and self.process.poll() is None
        children = psutil.Process(self.process.pid).children() if running and self.process else []
        self.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def receiver(self) -> psutil.Process | None:
        """Return the process that receives from the primary."""
        if self.process is None:
            return None
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it may just have ended
                if "walreceiver" in " ".join(child.cmdline()):
                    return child
        return None

    def _initialise(self) -> None:
        if self.source is None:
            super()._initialise()
            return
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._run(
            "pg_basebackup", "-D", str(fresh), "-h", str(self.source.sockets), "-p", str(PORT),
            "-U", SUPERUSER, "--checkpoint=fast", "--wal-method=stream", "--no-sync", "-R",
        )  # fmt: skip
        # It has the primary's settings: alone, it must not wait for a standby of its own.
        with (fresh / "postgresql.auto.conf").open("a") as file:
            file.write(f"{SYNCHRONOUS} = ''\n")
        fresh.rename(self.data)

    def _configure(self, name: str, *lines: str) -> None:
        if name == "pg_hba.conf":
            lines = (*lines, f"local replication all peer map={MAP}")
        super()._configure(name, *lines)

    def _reachable_binaries(self) -> Path:
        return self.source.binaries if self.source else super()._reachable_binaries()


class PostgresPair:
    """`url` names both; a client finds the one that takes writes."""

    def __init__(self, directory: Path, **settings: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
        self.servers = [Server(directory / name, settings) for name in ("one", "two")]
        self.primary, self.standby = self.servers

    @property
    def url(self) -> str:
        hosts = ",".join(f"{quote(str(one.sockets), safe='')}:{PORT}" for one in self.servers)
        return f"postgres://{SUPERUSER}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def start(self, *, synchronous: bool = True) -> None:
        self.primary.prepare()
        self.primary.start()
        self.primary.wait_ready()
        self.standby.copy(self.primary)
        self.wait_whole()
        self.synchronize(synchronous)

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.kill()
            server.clean_up()

    def synchronize(self, synchronous: bool) -> None:
        """Let each commit wait for the standby, or not."""
        self.primary.set(SYNCHRONOUS, "*" if synchronous else "")

    def promote(self) -> None:
        """Kill the primary and promote the standby, which is alone then."""
        self.primary.shoot()
        # Not pg_promote(true): recovery may cancel a query that waits.
        self.standby.rows("SELECT pg_promote(false)")
        self.primary, self.standby = self.standby, self.primary
        wait_until(lambda: self.primary.is_primary, 30, "a promotion")

    @contextmanager
    def served_alone(self) -> Iterator[Server]:
        """Serve what the dead one has, where no client looks for it. `follow` is next."""
        directory = self.standby.directory.with_name("alone")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        self.standby.data.rename(directory / "data")
        alone = Server(directory)
        alone.source = self.standby  # of whose programs
        with alone.served():
            yield alone

    def follow(self, *, synchronous: bool = True) -> None:
        """Let the one that is dead be the standby, as a new copy."""
        self.standby.copy(self.primary)
        self.wait_whole()
        self.synchronize(synchronous)

    def is_whole(self) -> bool:
        with suppress(psycopg2.Error):
            states = self.primary.rows("SELECT state FROM pg_stat_replication")
            return self.primary.is_primary and ("streaming",) in states
        return False

    def wait_whole(self, seconds: float = 30.0) -> None:
        wait_until(self.is_whole, seconds, "primary and standby")

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Let nothing reach the standby any more, and no commit wait for it.

        Kill the primary and promote the standby inside: afterwards it would catch up.
        """
        self.synchronize(False)
        (conninfo,) = self.standby.rows("SHOW primary_conninfo")
        self.standby.set("primary_conninfo", "host=/nowhere")
        try:
            wait_until(lambda: self.standby.receiver() is None, 10, "the end of streaming")
            yield
        finally:
            with suppress(psycopg2.Error):
                self.standby.set("primary_conninfo", str(conninfo[0]).replace("'", "''"))

"""The test's database, whichever it is: how it comes, how others find it, and how it goes away."""

import fcntl
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections

from loadtest.common.stores import Postgres


def copy_migrated(beside: Path) -> None:
    """Have Django copy the test database from one that is migrated once for all processes.

    The first process that comes here migrates it; to do so takes some seconds. beside: a file that
    all of them know.
    """
    settings = connection.settings_dict
    template = f"{settings['NAME']}_migrated"
    with beside.with_name("migrated").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not os.fstat(file.fileno()).st_size:
            kept = settings["NAME"], settings["TEST"]["NAME"]
            settings["TEST"]["NAME"] = template
            connection.creation.create_test_db(verbosity=0, autoclobber=True)
            connection.close()
            settings["NAME"], settings["TEST"]["NAME"] = kept
            file.write("yes")
    settings["TEST"]["MIGRATE"] = False
    if connection.vendor == "postgresql":
        settings["TEST"]["TEMPLATE"] = template
        return
    copy = copy_file if connection.vendor == "sqlite" else copy_tables
    creation: Any = connection.creation
    create = creation._create_test_db

    def create_copy(*args: Any, **options: Any) -> None:
        create(*args, **options)
        copy(template, settings["TEST"]["NAME"])

    creation._create_test_db = create_copy


def copy_file(template: str, name: str) -> None:
    shutil.copyfile(template, name)


def copy_tables(template: str, name: str) -> None:
    """Give a new database of MySQL the tables and rows of another one. It has no views."""
    quote = connection.ops.quote_name
    creation: Any = connection.creation
    with creation._nodb_cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(f"SHOW TABLES IN {quote(template)}")
        tables = [table for (table,) in cursor.fetchall()]
        cursor.execute(f"USE {quote(name)}")
        for table in map(quote, tables):
            cursor.execute(f"SHOW CREATE TABLE {quote(template)}.{table}")
            ((_, definition),) = cursor.fetchall()
            cursor.execute(definition)
            rows = f"SELECT * FROM {quote(template)}.{table}"  # noqa: S608
            cursor.execute(f"INSERT INTO {table} {rows}")


def restore_migrated(store: Postgres) -> None:
    """Give a server's database what the migrations write, if there is a copy of that.

    There is one where `copy_migrated` has made it. To migrate takes ten times as long.
    """
    template = connection.settings_dict["TEST"].get("TEMPLATE")
    if not template:
        return
    copied = f"{template}_restored"
    address = urlsplit(os.environ["DATABASE_URL"])
    with store.served(), closing(psycopg2.connect(address.geturl())) as server:
        server.autocommit = True
        # A copy is dumped: while a template is read, other processes cannot copy it.
        server.cursor().execute(f"CREATE DATABASE {copied} TEMPLATE {template}")
        try:
            source = address._replace(path=f"/{copied}").geturl()
            dump = [str(store.binaries / "pg_dump"), "--no-owner", source]
            dumped = subprocess.run(dump, stdout=subprocess.PIPE, check=True).stdout
            psql = str(store.binaries / "psql")
            restore = [psql, "--quiet", "--set=ON_ERROR_STOP=1", store.url]
            subprocess.run(restore, input=dumped, stdout=subprocess.DEVNULL, check=True)
        finally:
            server.cursor().execute(f"DROP DATABASE {copied}")


def end_sessions() -> list[str]:
    """End all sessions of the test's database, and let none begin; return what each did last.

    It is dropped next, which one session prevents: that of a thread that waits for a client which
    keeps its connection, for example. Such a thread may connect again.
    """
    if connection.vendor != "postgresql":
        return []
    connection.close()
    name = str(connection.settings_dict["NAME"])
    creation: Any = connection.creation
    with creation._nodb_cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} ALLOW_CONNECTIONS false")
        cursor.execute(
            "SELECT concat_ws(' ', state, backend_start, left(query, 300)),"
            " pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'",
            [name],
        )
        return [did for did, _ in cursor.fetchall()]


def environment(name: str = "") -> dict[str, str]:
    """Return the variables by which another process finds the test's database.

    name: of another database of the same server.
    """
    name = name or str(connection.settings_dict["NAME"])
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        return {"POSTGRES_DB": name}
    if connection.vendor == "sqlite":
        return {"DATABASE_URL": f"sqlite:///{name}"}
    return {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}


def take_away(monkeypatch: pytest.MonkeyPatch, using: str = DEFAULT_DB_ALIAS) -> None:
    """Close the connection; until `monkeypatch` is undone, nobody gets a new one."""
    connection = connections[using]
    connection.close()
    settings = connection.settings_dict
    nowhere = {
        "postgresql": {"HOST": "/nowhere"},
        "mysql": {"HOST": "127.0.0.1", "PORT": "1"},
        "sqlite": {"NAME": "/nowhere/database"},
    }[connection.vendor]
    options = {key: value for key, value in settings["OPTIONS"].items() if key != "unix_socket"}
    for key, value in {**nowhere, "OPTIONS": options}.items():
        monkeypatch.setitem(settings, key, value)

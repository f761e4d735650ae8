"""`make foreign`: count in projects of others, and hold every count against the truth.

Of each kind of project one is taken: that of `fetched`, if its repository is at `--source`, else
the small one of this folder. It is installed beside its own pins, gets at most ten lines, and runs
its own tests, which are left as they are. Then it is read from several threads, while workers of
its server and `counters run` are killed, and Redis is killed and started again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg2
import pymysql

from loadtest.common.ports import free_port
from loadtest.common.stores import Postgres, Redis
from tests.support import mariadb
from tests.wheel.foreign.adopter import Adopter
from tests.wheel.foreign.fetched import FETCHED
from tests.wheel.foreign.installed import (
    Failed,
    Installed,
    check_out,
    copy_small,
    write_files,
)
from tests.wheel.foreign.storm import (
    lost_and_doubled,
    restart,
    started,
    storm,
    wait_for_answer,
)
from tests.wheel.foreign.written import WRITTEN
from tests.wheel.matrix import Missing, build

COLUMNS = (
    "project", "Django", "redis-py", "database", "lines", "own tests", "reads", "unanswered",
    "kills", "counted", "lost", "doubled", "its own count",
)  # fmt: skip


@contextmanager
def stores(directory: Path, mysql: bool) -> Iterator[tuple[Redis, dict[str, str]]]:
    """Serve what the projects need; yield Redis, and the variables that name all of them."""
    with ExitStack() as stack:
        directory.mkdir()
        redis = Redis(directory / "redis")
        stack.enter_context(redis.served())
        postgres = Postgres(directory / "postgres")
        stack.enter_context(postgres.served())
        environment = {
            "REDIS_URL": redis.url,
            "PGHOST": unquote(urlsplit(postgres.url).netloc.partition("@")[2].partition(":")[0]),
            "PGUSER": "postgres",
        }
        if mysql:
            mariadb.install()
            server = mariadb.MariaDB(directory / "mysql")
            stack.enter_context(server.served())
            environment["MYSQL_SOCKET"] = str(server.sockets / mariadb.SOCKET)
        yield redis, environment


def create_database(installed: Installed) -> None:
    """Make the project an empty database."""
    stores = installed.stores
    if installed.adopter.database == "postgres":
        where = f"host={stores['PGHOST']} user={stores['PGUSER']} dbname=footfall"
        with closing(psycopg2.connect(where)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {installed.database}")
        return
    with pymysql.connect(unix_socket=stores["MYSQL_SOCKET"], user="root") as connection:
        cursor = connection.cursor()
        cursor.execute("SET GLOBAL character_set_server = utf8mb4")  # of the tests' database, too
        cursor.execute("CREATE USER IF NOT EXISTS blog@localhost IDENTIFIED BY 'root'")
        cursor.execute("GRANT ALL ON *.* TO blog@localhost")
        cursor.execute(f"CREATE DATABASE {installed.database} CHARACTER SET utf8mb4")
    for zone in ("UTC", "Asia/Shanghai"):  # of DjangoBlog, with USE_TZ
        load_time_zone(stores["MYSQL_SOCKET"], zone)


def load_time_zone(socket: str, zone: str) -> None:
    """Let MySQL know a time zone: Django has it convert times, and none is there at first."""
    command = [shutil.which("mariadb-tzinfo-to-sql") or "mysql_tzinfo_to_sql"]
    command += [f"/usr/share/zoneinfo/{zone}", zone]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    client = [shutil.which("mariadb") or "mysql", f"--socket={socket}", "--user=root", "mysql"]
    subprocess.run(client, input=said, check=True)


def chosen(source: str, only: str) -> list[Adopter]:
    """Return a project of each kind: the fetched one where `source` has it."""
    adopters = []
    for fetched in FETCHED:
        name = fetched.repository.rpartition("/")[2]
        is_there = source and ("://" in source or Path(source, name).exists())
        written = (one for one in WRITTEN if one.kind == fetched.kind)
        adopters.append(fetched if is_there else next(written))
    return [one for one in adopters if only in (one.kind, one.name, "")]


def made_ready(
    adopter: Adopter, source: str, wheel: Path, directory: Path, stores: Mapping[str, str]
) -> Installed:
    """Have the project there, installed, with the lines that count."""
    checkout = directory / adopter.name
    siblings = {}
    if adopter.repository:
        check_out(adopter.repository, adopter.commit, source, checkout)
        for name, commit in adopter.siblings.items():
            siblings[name] = directory / name.rpartition("/")[2]
            check_out(name, commit, source, siblings[name])
    else:
        copy_small(adopter.name, checkout)
    installed = Installed(adopter, checkout, directory / f"venv-{adopter.name}", stores)
    write_files(adopter, checkout)
    installed.install(wheel, siblings)
    if adopter.own_migrations:
        installed.manage("makemigrations", *adopter.own_migrations)
    adopter.apply(checkout)
    return installed


def counted(installed: Installed, redis: Redis, reads: int, directory: Path) -> dict[str, object]:
    """Read and kill; return what was seen, and what was counted of it."""
    paths, headers = installed.seeded()
    folder = installed.directory / installed.adopter.folder
    port, environment = free_port(), installed.environment()
    log = directory / f"{installed.adopter.name}.log"
    run = [str(installed.python), "manage.py", "counters", "run"]
    serve = installed.command(installed.adopter.serve, port=port)
    with (
        started(run, folder, environment, log) as counting,
        started(serve, installed.directory, environment, log) as server,
    ):

        def kill_counting() -> None:
            counting.kill()
            counting.start()

        wait_for_answer(port, log)
        faults = [kill_counting, server.kill_a_worker, lambda: restart(redis)]
        faults = [*faults, kill_counting, server.kill_a_worker]
        tally, statuses = storm(port, paths, headers, faults, reads)
        if unexpected := {*statuses} - {200}:
            sys.stdout.write(f"{installed.adopter.name}: answered {unexpected}; see {log}\n")
    installed.manage("counters", "flush")
    audit = installed.manage("counters", "audit")
    if "clean" not in audit:
        raise Failed(audit)
    found = installed.counters()
    counters = {key: ours or 0 for key, (ours, _) in found.items()}
    own = sum(theirs or 0 for _, theirs in found.values())
    lost, doubled = lost_and_doubled(tally, counters)
    return {
        "reads": tally.answered.total(),
        "unanswered": tally.unanswered.total(),
        "kills": len(faults),
        "counted": sum(counters.values()),
        "lost": lost,
        "doubled": doubled,
        "its own count": own if installed.adopter.own_count else "",
    }


def adopt(
    adopter: Adopter, options: argparse.Namespace, wheel: Path, directory: Path,
    redis: Redis, stores: Mapping[str, str],
) -> dict[str, object]:  # fmt: skip
    """Do all of it with one project; return its row of the table."""
    installed = made_ready(adopter, options.source, wheel, directory, stores)
    create_database(installed)
    installed.migrate()
    ran = "-" if options.skip_tests else installed.test()
    django, client = installed.versions("django", "redis")
    row = {
        "project": adopter.name, "Django": django, "redis-py": client,
        "database": adopter.database, "lines": adopter.lines, "own tests": ran,
    }  # fmt: skip
    return row | counted(installed, redis, options.reads, directory)


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows in Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(str(row[name]) for name in COLUMNS) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="", help="a folder of clones, or https://github.com")
    parser.add_argument("--only", default="", help="one project, or one kind: pages, blog, ...")
    parser.add_argument("--reads", type=int, default=2000, help="of each project (%(default)s)")
    parser.add_argument("--skip-tests", action="store_true", help="of the projects")
    parser.add_argument("--directory", type=Path, help="keep everything there")
    options = parser.parse_args()
    adopters = chosen(options.source, options.only)
    rows, failed = [], []
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="footfall-foreign-"))
        directory = (options.directory or Path(made)).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        wheel = build(directory / "dist")
        mysql = any(one.database == "mysql" for one in adopters)
        redis, environment = stack.enter_context(stores(directory / "stores", mysql))
        for adopter in adopters:
            began = time.monotonic()
            try:
                rows.append(adopt(adopter, options, wheel, directory, redis, environment))
            except (Failed, Missing, TimeoutError, ValueError, subprocess.SubprocessError) as error:
                failed.append(f"{adopter.name}: {error}")
            sys.stdout.write(f"{adopter.name}: {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
        sys.stdout.write(f"\n{table(rows)}")
        for line in failed:
            sys.stdout.write(f"FAILED: {line}\n")
    wrong = any(row["lost"] or row["doubled"] for row in rows)
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())

import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
import redis
from environs import Env

from loadtest.common.stores import Postgres, Redis, Store
from loadtest.common.waiting import wait_until
from standalone import directories, system_user
from standalone.program import StoreError
from standalone.stores.postgres import PORT
from tests.support.stores import NOT_DURABLE, temporary_directory

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to run as")


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """The data of a database that was never used."""
    with ExitStack() as stack:
        store = Postgres(temporary_directory(stack) / "postgres", settings=NOT_DURABLE)
        store.prepare()
        yield store.data


@pytest.fixture(autouse=True)
def copied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy a database where one would be made, except for tests that use `initdb`."""
    if "initdb" not in request.fixturenames:
        data = request.getfixturevalue("initialised")

        def copy(store: Postgres) -> None:
            shutil.copytree(data, store.data)
            for path in (store.data, *store.data.rglob("*")):
                os.chown(path, os.geteuid() if store.uid is None else store.uid, -1)

        monkeypatch.setattr(Postgres, "_initialise", copy)


@pytest.fixture
def initdb() -> None:
    """A test that uses it makes its database itself."""


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[Postgres]:
    store = Postgres(data_dir / "postgres", settings=NOT_DURABLE)
    store.prepare()
    yield store
    store.stop()
    store.clean_up()


@pytest.fixture
def valkey(data_dir: Path) -> Iterator[Redis]:
    store = Redis(data_dir / "redis", settings={"maxmemory": "64mb"})
    store.prepare()
    yield store
    store.stop()
    store.clean_up()


def begin(store: Store) -> None:
    store.start()
    store.wait_ready()


def query(store: Postgres, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(store.url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_postgres_serves_an_empty_utf8_database(postgres: Postgres) -> None:
    begin(postgres)

    assert postgres.running
    assert query(postgres, "SHOW server_encoding") == [("UTF8",)]
    assert query(postgres, "SELECT upper('é'), current_database()") == [("É", "footfall")]
    assert query(postgres, "SHOW listen_addresses") == [("",)]
    assert query(postgres, "SHOW fsync") == [("off",)]


def test_postgres_keeps_its_data_over_a_kill(postgres: Postgres) -> None:
    begin(postgres)
    query(postgres, "CREATE TABLE kept (id int)")
    held = psycopg2.connect(postgres.url)  # its server process outlives the postmaster's death
    postgres.kill()
    assert not postgres.running

    begin(postgres)

    assert query(postgres, "SELECT * FROM kept") == []
    held.close()


def test_postgres_is_not_hindered_by_the_pid_of_another_process(postgres: Postgres) -> None:
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")

    postgres.prepare()
    begin(postgres)

    assert query(postgres, "SELECT 1") == [(1,)]


def test_the_url_is_what_django_understands(postgres: Postgres) -> None:
    os.environ["TRIAL_URL"] = postgres.url
    try:
        settings = Env().dj_db_url("TRIAL_URL")
    finally:
        del os.environ["TRIAL_URL"]

    assert settings["HOST"] == str(postgres.sockets)
    assert settings["NAME"] == "footfall"


def test_a_failed_initdb_says_why(initdb: None, data_dir: Path) -> None:
    directory = data_dir / "postgres"
    directory.mkdir()
    (directory / "data.new").symlink_to("/dev/null")

    with pytest.raises(StoreError, match="initdb failed"):
        Postgres(directory).prepare()


def test_a_server_that_gives_up_is_reported_with_its_last_words(data_dir: Path) -> None:
    store = Postgres(data_dir / "postgres", settings={"shared_buffers": "nonsense"})
    store.prepare()

    with pytest.raises(StoreError, match=r"not ready after 0\.2 s.*shared_buffers"):
        store.wait_ready(timeout=0.2)
    store.kill()


def test_redis_keeps_every_write_over_a_kill(valkey: Redis) -> None:
    begin(valkey)
    with redis.Redis.from_url(valkey.url) as client:
        client.set("kept", "1")
    valkey.kill()

    begin(valkey)

    with redis.Redis.from_url(valkey.url) as client:
        assert client.get("kept") == b"1"


def test_redis_refuses_writes_beyond_its_memory(valkey: Redis) -> None:
    begin(valkey)

    with redis.Redis.from_url(valkey.url) as client:
        found = client.config_get("*")
    assert found["maxmemory"] == str(64 * 1024**2)
    assert found["maxmemory-policy"] == "noeviction"
    assert (found["appendonly"], found["appendfsync"]) == ("yes", "always")
    assert found["port"] == "0"


def test_redis_listens_on_a_port_on_demand(data_dir: Path, free_port: int) -> None:
    store = Redis(data_dir / "redis", settings={"port": str(free_port), "databases": "3"})
    store.prepare()
    begin(store)
    try:
        with redis.Redis(port=free_port) as client:
            assert client.config_get("databases") == {"databases": "3"}
    finally:
        store.stop()


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_a_store_stops_cleanly(kind: type[Store], data_dir: Path) -> None:
    store = kind(data_dir / "store")
    store.prepare()
    store.stop()  # harmless before the start
    begin(store)

    store.stop()

    assert store.process is not None
    assert store.process.returncode == 0
    assert not store.ready()


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_a_store_that_does_not_stop_is_killed(kind: type[Store], data_dir: Path) -> None:
    store = kind(data_dir / "store")
    store.prepare()
    begin(store)

    store.stop(timeout=0)

    assert not store.running
    wait_until(lambda: not store.ready())


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_a_deep_data_directory_has_short_sockets(kind: type[Store], data_dir: Path) -> None:
    deep = data_dir / ("Deep and % odd" + "x" * 90)
    deep.mkdir()
    store = kind(deep / "store")
    store.prepare()
    assert store.sockets != store.directory
    begin(store)
    try:
        if isinstance(store, Postgres):
            assert query(store, "SELECT 1") == [(1,)]
    finally:
        store.stop()
        store.clean_up()

    assert not store.sockets.exists()
    assert store.directory.exists()


@as_root
def test_as_root_postgres_runs_as_a_user_of_its_own(postgres: Postgres) -> None:
    begin(postgres)

    assert postgres.process
    uid = Path(f"/proc/{postgres.process.pid}").stat().st_uid
    assert pwd.getpwuid(uid).pw_name == system_user.NAME
    assert postgres.data.stat().st_uid == uid


def as_nobody(code: str, argument: object) -> str:
    """Return what Python code prints as another user, which may not be able to start Python."""
    become = "import os, psycopg2, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    done = subprocess.run(
        [sys.executable, "-c", f"{become}; {code}", str(argument)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


CONNECT = "psycopg2.connect(sys.argv[1]); print('connected')"
READ = "print(os.listdir(sys.argv[1]))"


@as_root
def test_no_other_user_reads_the_database(postgres: Postgres) -> None:
    begin(postgres)

    assert "Permission denied" in as_nobody(CONNECT, postgres.url)
    assert "Permission denied" in as_nobody(READ, postgres.data)

    # Nor where the way to the socket is open: the kernel says who connects.
    (postgres.sockets / f".s.PGSQL.{PORT}").chmod(0o777)
    postgres.directory.chmod(0o711)
    assert "Peer authentication failed" in as_nobody(CONNECT, postgres.url)
    assert query(postgres, "SELECT 1") == [(1,)]


@pytest.fixture
def of_before(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory as it was made before: it is the user nobody's, and open to all."""
    nobody = pwd.getpwnam("nobody").pw_uid
    with monkeypatch.context() as patch:
        patch.setattr(system_user, "uid", lambda: nobody)
        store = Postgres(data_dir / "postgres", settings=NOT_DURABLE)
        store.prepare()
        begin(store)
        query(store, "CREATE TABLE kept (id int)")
        store.stop()
    assert store.data.stat().st_uid == nobody
    (store.data / "pg_hba.conf").write_text("local all all trust\nhost all all all trust\n")
    store.directory.chmod(0o755)
    return store.directory


@as_root
def test_a_database_of_before_is_kept_and_closed_at_the_next_start(
    of_before: Path, postgres: Postgres
) -> None:
    postgres.prepare()
    begin(postgres)

    assert query(postgres, "SELECT * FROM kept") == []
    assert query(postgres, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == [("peer",)]
    assert {file.lstat().st_uid for file in postgres.data.rglob("*")} == {system_user.uid()}
    assert of_before.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_directory_of_a_user_of_another_machine_is_taken_over(
    postgres: Postgres, data_dir: Path
) -> None:
    for path in (data_dir / "postgres", *(data_dir / "postgres").rglob("*")):
        os.chown(path, 54321, 54321, follow_symlinks=False)

    postgres.prepare()
    begin(postgres)

    assert query(postgres, "SELECT 1") == [(1,)]
    assert postgres.data.stat().st_uid == system_user.uid()


@as_root
def test_what_is_not_the_present_owners_is_not_handed_over(data_dir: Path) -> None:
    """Its processes may put links to files of root there."""
    mine = data_dir / "mine"
    mine.touch()
    directory = data_dir / "theirs"
    (directory / "inner").mkdir(parents=True)
    (directory / "inner" / "linked").hardlink_to(mine)
    (directory / "inner" / "pointing").symlink_to(mine)
    (directory / "inner" / "plain").touch()
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in (directory / "inner" / "plain", directory / "inner", directory):
        os.chown(path, nobody, -1)

    system_user.change_owner(directory, system_user.uid())

    assert mine.stat().st_uid == 0
    for path in (directory / "inner" / "plain", directory / "inner", directory):
        assert path.stat().st_uid == system_user.uid()


@as_root
def test_a_user_that_cannot_be_made_is_told(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_user, "NAME", "Not A Name")
    monkeypatch.setattr(system_user, "LOCK_TIMEOUT", 0)

    with pytest.raises(
        StoreError, match=r"could not be made: useradd: .*do not start this as root"
    ):
        Postgres(data_dir / "postgres").prepare()


@as_root
def test_the_data_of_a_user_stay_that_users(data_dir: Path) -> None:
    """Who starts it as root once can go on without."""
    daemon = pwd.getpwnam("daemon").pw_uid
    (data_dir / "postgres").mkdir()
    for path in (data_dir, data_dir / "postgres"):
        os.chown(path, daemon, -1)

    assert directories.unprivileged_uid(data_dir / "postgres") == daemon


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_a_store_is_told_no_secret_and_is_closed_to_others(
    kind: type[Store], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SECRET_KEY", "a key that is for the service alone")
    (data_dir / "store").mkdir(mode=0o755)
    store = kind(data_dir / "store")

    store.prepare()

    assert "a key that" not in str(store.program().environment)
    assert store.directory.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_closed_directory_stays_closed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Then the database, and a copy of what serves it, live in a directory that is reachable."""
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(directories, "STATE", data_dir)
    monkeypatch.setattr(directories, "reachable", lambda path, uid: path == data_dir)

    store = Postgres(closed / "postgres", settings=NOT_DURABLE)
    store.prepare()
    begin(store)
    store.stop()
    again = Postgres(closed / "postgres")
    again.prepare()

    assert closed.stat().st_mode & 0o777 == 0o700
    assert (closed / "postgres").is_symlink()
    assert again.directory == store.directory
    assert store.directory.parent == data_dir
    assert store.binaries.is_relative_to(store.directory)
    assert len(list(data_dir.iterdir())) == 2


def test_a_reachable_directory_is_open_all_the_way(tmp_path: Path) -> None:
    stranger = pwd.getpwnam("nobody").pw_uid
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    assert directories.reachable(Path("/usr/bin"), stranger)
    assert not directories.reachable(closed, stranger)
    assert directories.reachable(Path("/"), closed.stat().st_uid)


def test_an_unanswered_ping_is_no_readiness(valkey: Redis) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(valkey.socket))

        assert not valkey.ready()
    valkey.socket.unlink()

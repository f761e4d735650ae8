"""The pytest plugin that gives a test run stores of its own (`-p tests.support.stores`).

They lie in a temporary directory, unless DATABASE_URL (or POSTGRES_HOST) and REDIS_URL name others,
and end with the run, however it ends. Redis is there before Django reads its settings; the database
starts when the first test asks for it, in whichever process of pytest-xdist. It is PostgreSQL, or
what FOOTFALL_TESTS_DB says: postgres, mysql or sqlite.
"""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from loadtest.common.stores import Postgres, Redis, Store
from loadtest.common.waiting import wait_until
from standalone.program import StoreError
from tests.support import mariadb

XDIST_WORKER = "PYTEST_XDIST_WORKER"
OURS = "FOOTFALL_TESTS_STARTED_REDIS"
ASKED = "FOOTFALL_TESTS_DATABASE_ASKED"
# What is committed survives a killed server, but not a power failure.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
MEMORY = Path("/dev/shm")  # noqa: S108  # in a directory of its own there
ROOM = 4 * 1024**3
"""Free bytes; a run uses one or two of these GB."""
NAMED_BY = {"DATABASE_URL": ("DATABASE_URL", "POSTGRES_HOST"), "REDIS_URL": ("REDIS_URL",)}

stopping = pytest.StashKey[ExitStack]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Export the addresses before pytest-django, which reads the settings in the same hook."""
    known = early_config.known_args_namespace
    if not (known.version or known.help):
        stack = early_config.stash[stopping] = ExitStack()
        early_config.add_cleanup(stack.close)
        if XDIST_WORKER in os.environ:
            use_own_redis(stack)
        else:
            start_stores(stack)
    return (yield)


def start_stores(stack: ExitStack) -> None:
    """Start what the environment does not name; `stack` stops it."""
    os.environ.setdefault("DJANGO_SECRET_KEY", secrets.token_urlsafe(50))
    os.environ.setdefault("DJANGO_HTTPS", "false")
    directory = temporary_directory(stack)
    # An empty DATA_DIR: never the addresses, and never the files, of a `make run` beside the tests.
    os.environ["DATA_DIR"] = str(directory)
    if not is_named("DATABASE_URL"):
        os.environ["DATABASE_URL"] = database_url(directory, stack)
    if not is_named("REDIS_URL"):
        store = redis(directory)
        stack.enter_context(store.served())
        os.environ["REDIS_URL"] = store.url
        os.environ[OURS] = "yes"


def is_named(variable: str) -> bool:
    return any(os.environ.get(name) for name in NAMED_BY[variable])


def database_url(directory: Path, stack: ExitStack) -> str:
    """Return the address of the database that is asked for, and have it start when it is used."""
    engine = os.environ.get("FOOTFALL_TESTS_DB", "postgres")
    os.environ[ASKED] = str(directory / "asked")
    if engine == "sqlite":
        write(directory / "answer", "")  # SQLite needs no server
        return f"sqlite:///{directory}/footfall.sqlite3"
    if engine not in DATABASES:
        raise pytest.UsageError(f"DB={engine} is none of: sqlite, {', '.join(DATABASES)}")
    store = DATABASES[engine](directory)
    stack.enter_context(started_when_asked(store, directory))
    return store.url


@contextmanager
def started_when_asked(store: Store, directory: Path) -> Iterator[None]:
    """Serve `store` from when there is a file `asked` in the directory until the context ends.

    Then there is a file `answer`: empty, or with the reason why there is no store. The kernel ends
    a server with the thread that has started it, so that thread stays until the end.
    """
    asked, answer = directory / "asked", directory / "answer"
    url, ended = store.url, threading.Event()

    def serve() -> None:
        while not asked.exists():
            if ended.wait(0.02):
                return
        try:
            with store.served():
                if store.url != url:
                    raise StoreError(f"The path {directory} is too long for a socket.")
                write(answer, "")
                ended.wait()
        except StoreError as error:
            write(answer, str(error))

    thread = threading.Thread(target=serve, name=store.name)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def write(path: Path, text: str) -> None:
    """Write a file that is complete once it is there."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def wait_for_database() -> None:
    """Return once the database is there. Raises StoreError."""
    if ASKED in os.environ:
        asked = Path(os.environ[ASKED])
        asked.touch()
        answer = asked.with_name("answer")
        wait_until(answer.exists, 120, "the database")
        if reason := answer.read_text():
            raise StoreError(reason)


class Installed(mariadb.MariaDB):
    def prepare(self) -> None:
        mariadb.install()
        super().prepare()


def postgres(directory: Path) -> Store:
    return Postgres(directory / "postgres", settings=NOT_DURABLE)


def mysql(directory: Path) -> Store:
    return Installed(directory / "mysql")


DATABASES: dict[str, Callable[[Path], Store]] = {"postgres": postgres, "mysql": mysql}


def redis(directory: Path) -> Redis:
    return Redis(directory / "redis", settings={"appendfsync": "no"})


def temporary_directory(stack: ExitStack) -> Path:
    """Return a new directory that the unprivileged user of PostgreSQL can reach.

    It is in memory, if there is room: what the stores write takes the kernel less time there.
    """
    parent = MEMORY if memory_has_room() else None
    directory = Path(tempfile.mkdtemp(prefix="footfall-tests-", dir=parent))
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    directory.chmod(0o711)
    return directory


def memory_has_room() -> bool:
    try:
        return shutil.disk_usage(MEMORY).free > ROOM
    except OSError:
        return False


def use_own_redis(stack: ExitStack) -> None:
    """Start a Redis for this process of pytest-xdist alone, as pytest-django makes a database.

    Its programs, and the workers that answer there, are then no other test's. A Redis that the
    environment names is shared: only its keys are each test's own.
    """
    directory = temporary_directory(stack)
    os.environ["DATA_DIR"] = str(directory)
    if OURS in os.environ:
        store = redis(directory)
        stack.enter_context(store.served())
        os.environ["REDIS_URL"] = store.url

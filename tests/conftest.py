import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections
from django.utils import translation
from hypothesis import HealthCheck, settings
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker, Settings
from xdist.scheduler import LoadFileScheduling

from api.throttling import Throttle
from footfall.identity import Moment, moment
from footfall.log import get_log
from footfall.viewers.memory import Read, Salted
from tests.support.databases import copy_migrated, end_sessions
from tests.support.proxy import Proxy
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_sentinel import RedisSentinel
from tests.support.stores import ASKED, XDIST_WORKER, temporary_directory, wait_for_database
from tests.support.tables import emptied_quickly

# On a busy machine everything may take long: that is no fault of what is tested.
# What takes examples without a number of its own takes some; CI has it take all that are usual.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("FOOTFALL_EXAMPLES", "30")),
)
settings.load_profile("suite")

SLOWEST = ("standalone", "live", "browser", "wheel", "faults")
"""Rooms of tests that start processes of their own and wait for them."""
SHARING = ("tests/live", "tests/browser", "tests/wheel")
"""Rooms whose tests share a service, a browser, or a wheel."""
STARTS_OWN_SERVICE = tuple(
    f"tests/live/test_{name}.py" for name in ("backups", "cluster", "failover", "faults", "viewers")
)
"""Files in these rooms whose tests start a service of their own."""


class OneService(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives all tests of a room of SHARING to one process.

    Else each process would start a service, a browser or a wheel of its own.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]  # what follows may have slashes, too
        room = file.rpartition("/")[0]
        return room if room in SHARING and file not in STARTS_OWN_SERVICE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneService | None:
    return OneService(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files. On another database leave out what is about PostgreSQL, or uses none."""
    if connection.vendor != "postgresql":
        chosen = [item for item in items if uses_database(item) and not is_about_postgresql(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen
    with_database = {item.path for item in items if uses_database(item)}
    items.sort(key=lambda item: sort_key(item.path, with_database))


def uses_database(item: Any) -> bool:
    return "db" in item.fixturenames or item.get_closest_marker("django_db") is not None


def is_about_postgresql(item: pytest.Item) -> bool:
    return item.get_closest_marker("postgres") is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test that uses no database no connection of the one before.

    A class of unittest has begun its transaction by now.
    """
    if not uses_database(item) and not getattr(item, "cls", None):
        for one in connections.all(initialized_only=True):
            one.close()


def sort_key(path: Path, with_database: set[Path]) -> int:
    """Return 0, 1 or 2: the order in which the files run.

    What needs no database comes first: it tells within seconds that something simple is broken.
    Then the slowest, so that no process is left with them while the others are idle.
    """
    if path.parent.name in SLOWEST:
        return 1
    return 2 if path in with_database else 0


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """What pytest-django asks for before it connects."""
    wait_for_database()
    if (asked := os.environ.get(ASKED)) and XDIST_WORKER in os.environ:
        with django_db_blocker.unblock():
            copy_migrated(Path(asked))


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, pytestconfig: pytest.Config
) -> Iterator[None]:
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            stack.enter_context(emptied_quickly())
        yield
    with django_db_blocker.unblock():
        ended = end_sessions()
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stderr.writelines(f"A test left a session of the database: {did}\n" for did in ended)


@pytest.fixture(scope="session", autouse=True)
def bare_keys() -> Iterator[None]:
    """A test without a database has no identity: its keys in Redis have the prefix alone.

    Between two tests, too: a thread that waits for the database may outlive the test it is of.
    """

    def known() -> Moment:
        try:
            return moment()
        except RuntimeError:  # pytest-django lets no test at a database that has not asked for it
            return Moment("", 0, datetime.now(UTC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("footfall.log.moment", known)
        yield


@pytest.fixture(autouse=True)
def known_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visitors have a salt, and no thread reads one from the database: see `real_salts`."""
    now = time.monotonic()
    known = Read((Salted(now - 1e6, now + 1e6, bytes(32)),))
    monkeypatch.setattr("footfall.viewers.memory.read", lambda: known)


@pytest.fixture(scope="session")
def server() -> Iterator[redis.Redis]:
    """A client of the Redis server, to look at what is really there."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture
def prefix(server: redis.Redis) -> Iterator[str]:
    """The beginning of the test's own keys: tests share a Redis."""
    prefix = f"test-{uuid4().hex}"
    yield prefix
    if keys := [*server.scan_iter(f"{prefix}:*", count=1_000)]:
        server.delete(*keys)


@pytest.fixture
def any_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views may have happened long before they are recorded."""
    monkeypatch.setattr("footfall.ingest.times.MAX_DELAY_MS", 2**62)


@pytest.fixture
def own_log(settings: Settings, prefix: str) -> None:
    """Views go to a log of the test's own."""
    settings.COUNTERS_LOG_PREFIX = prefix


@pytest.fixture
def proxy(settings: Settings) -> Iterator[Proxy]:
    """Stands between this process and the log's Redis from now on."""
    with Proxy(os.environ["REDIS_URL"]) as proxy:
        settings.COUNTERS_LOG_TIMEOUT_SECONDS = 0.2
        settings.COUNTERS_LOG_URL = proxy.url
        yield proxy


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """A request that a test sends in its own thread leaves its language there."""
    yield
    translation.deactivate()


@pytest.fixture
def django_assert_num_queries(
    django_assert_num_queries: DjangoAssertNumQueries, db: None
) -> DjangoAssertNumQueries:
    """As usual, with content types and identity known: a process asks for each once in its life.

    A test with transactions of its own empties their cache, and tests run in any order.
    """
    get_log()
    ContentType.objects.get_for_models(*apps.get_models(), for_concrete_models=False)
    return django_assert_num_queries


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """Six processes, started by the first test that asks. A test that hurts them mends them.

    They end with its module: to wait for one another takes them more than to start.
    """
    with ExitStack() as stack:
        cluster = RedisCluster(temporary_directory(stack), appendfsync="no")
        stack.callback(cluster.stop)
        cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def sentinel() -> Iterator[RedisSentinel]:
    """Six processes, started by the first test that asks. A test that hurts them mends them."""
    with ExitStack() as stack:
        servers = RedisSentinel(temporary_directory(stack), {"appendfsync": "no"})
        stack.callback(servers.stop)
        servers.start()
        yield servers


@pytest.fixture
def no_throttles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "THROTTLE_RATES", NoLimits())


@pytest.fixture
def limit(no_throttles: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets rates by scope: `limit(login="2/min")`."""

    def limit(**rates: str) -> None:
        # Its account may have the number that another test's had.
        monkeypatch.setattr(Throttle, "cache_format", f"{uuid4().hex}_%(scope)s_%(ident)s")
        monkeypatch.setattr(Throttle, "THROTTLE_RATES", NoLimits(rates))

    return limit


class NoLimits(dict[str, str | None]):
    def __missing__(self, scope: str) -> None:
        return None

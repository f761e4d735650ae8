"""The promise, on the whole service: what was answered was counted, exactly once.

Real processes and real signals. `tests/footfall/test_crashes.py` kills at exact points instead.
"""

import threading
import time
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from tests.live.fixtures import Manage, kill
from tests.live.readers import Readers
from tests.support.concurrency import meanwhile

Counters = Callable[[], list[int]]
REQUESTS = 1000


@pytest.fixture(scope="module", autouse=True)
def audited(manage: Manage) -> Iterator[None]:
    """Whatever the tests did to the service: a clean audit."""
    yield
    audit = manage("counters", "audit")
    assert (audit.returncode, audit.stdout[:5]) == (0, "clean"), audit.stdout + audit.stderr


@pytest.fixture(autouse=True)
def exact(service: Copy, counters: Counters, readers: Readers, manage: Manage) -> Iterator[None]:
    """Whatever the test did to the service: answered <= counted <= attempted."""
    assert manage("counters", "flush").returncode == 0  # views of the test before this one
    before = counters()

    def gained() -> set[int]:
        return {now - then for now, then in zip(counters(), before, strict=True)}

    def are_counted() -> bool:
        try:
            return min(gained()) >= readers.answers[200]
        except psycopg2.OperationalError:  # PostgreSQL is on its way back
            return False

    yield
    wait_until(are_counted, 40)
    # What was not answered may have been recorded: it belongs to this test, not to the next.
    assert manage("counters", "flush").returncode == 0
    (each,) = gained()
    assert readers.answers[200] <= each <= readers.answers.total()
    wait_until(lambda: service.get("/readyz")[0] == 200, 60)  # for the tests after it


def test_a_thousand_reads_from_16_clients(readers: Readers) -> None:
    readers.read(REQUESTS)

    assert readers.answers == {200: REQUESTS}


def test_the_flusher_is_killed_five_times(service: Copy, readers: Readers) -> None:
    def kill_them() -> None:
        for _ in range(5):
            time.sleep(0.3)
            kill(service, "flusher")

    with meanwhile(kill_them):
        for _ in range(10):
            readers.read(REQUESTS // 10)
            time.sleep(0.2)

    assert readers.answers == {200: REQUESTS}


def test_four_loops_of_the_flush_command_beside_the_worker(
    readers: Readers, manage: Manage
) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def flush_all_the_time() -> None:
        def loop() -> None:
            while not ended.is_set():
                codes.append(manage("counters", "flush").returncode)

        loops = [threading.Thread(target=loop) for _ in range(4)]
        for thread in loops:
            thread.start()
        for thread in loops:
            thread.join()

    with meanwhile(flush_all_the_time):
        try:
            for _ in range(10):
                readers.read(REQUESTS // 10)
                time.sleep(0.2)
        finally:
            ended.set()

    assert readers.answers == {200: REQUESTS}
    assert set(codes) == {0}


def test_redis_is_killed_again_and_again(service: Copy, readers: Readers) -> None:
    """For some seconds it is away more than it is there: pages are answered all the same."""

    def kill_them() -> None:
        for _ in range(4):
            kill(service, "redis")

    with meanwhile(kill_them):
        for _ in range(10):
            readers.read(REQUESTS // 10)
            time.sleep(0.2)

    assert readers.answers == {200: REQUESTS}


def test_postgresql_and_a_web_worker_are_killed(service: Copy, readers: Readers) -> None:
    def kill_them() -> None:
        time.sleep(0.5)
        kill(service, "postgres")
        kill(service, "web")

    with meanwhile(kill_them):
        for _ in range(10):
            readers.read(REQUESTS // 10)
            time.sleep(0.2)

    assert readers.answers[200] > 0
    assert set(readers.answers) <= {200, 503, 0}

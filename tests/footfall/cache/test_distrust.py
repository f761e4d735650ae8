"""Pages that were cached before Redis failed are not used after it."""

import gc
from collections.abc import Iterable
from weakref import ref

import pytest

from footfall.cache import distrust
from footfall.cache.distrust import Distrust
from footfall.eventlog import Away, LogError
from loadtest.common.waiting import wait_until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distrust, "FIRST_PAUSE", 0.001)


class Pages:
    """Fails as often as it is told, and notes what was discarded."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.discarded: list[int] = []
        self.distrusted = Distrust(self.discard)
        self.meanwhile: Iterable[int] = ()

    def discard(self, partition: int) -> None:
        if self.failures:
            self.failures -= 1
            raise Away("not yet")
        self.discarded.append(partition)
        again, self.meanwhile = self.meanwhile, ()
        self.distrusted.add(again)


def test_it_ends_when_redis_has_discarded_every_partition() -> None:
    pages = Pages(failures=3)
    pages.distrusted.add([1, 3])
    wait_until(lambda: not {1, 3} & {one for one in range(4) if one in pages.distrusted}, 10)
    assert sorted(pages.discarded) == [1, 3]


def test_what_is_added_while_it_is_discarded_is_discarded_again() -> None:
    pages = Pages()
    pages.meanwhile = [2]
    pages.distrusted.add([2])
    wait_until(lambda: 2 not in pages.distrusted, 10)
    assert pages.discarded == [2, 2]


def test_it_starts_again() -> None:
    pages = Pages()
    for times in (1, 2, 3):
        pages.distrusted.add([0])
        wait_until(lambda: 0 not in pages.distrusted, 10)
        assert len(pages.discarded) == times


def test_nothing_is_tried_for_a_cache_that_is_gone() -> None:
    pages = Pages(failures=10**9)
    pages.distrusted.add([0])
    thread, gone = pages.distrusted._thread, ref(pages)
    assert thread
    del pages
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
    assert gone() is None


def test_a_dead_server_of_a_cluster_holds_up_no_partition_of_another() -> None:
    class Clustered(Pages):
        def discard(self, partition: int) -> None:
            if partition == 0:
                raise LogError("its server is dead")
            super().discard(partition)

    pages = Clustered()
    pages.distrusted.add([0, 1])
    wait_until(lambda: 1 not in pages.distrusted, 10)
    assert 0 in pages.distrusted

"""The copies of the counters in Redis: raised after a flush, never lowered by a late publisher."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest
import redis
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall.cache import cached_pages, publish
from footfall.cache.entries import PageCache, get_page_cache
from footfall.cache.invalidation import invalidate, send_invalidations
from footfall.cache.locations import Locations
from footfall.eventlog import LogError
from footfall.flush import flush
from footfall.log import get_log
from footfall.models import Invalidation
from footfall.projections.totals import Applied
from footfall.record import partition_for, record
from footfall.registry import counted_as
from loadtest.common.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def copies(
    page: Page, contents: list[Content], server: redis.Redis, prefix: str
) -> Callable[[], dict[str, bytes | None]]:
    """Caches the page in both partitions; returns the copies of its first content's counter."""
    name = f"pages.content:{contents[0].pk}"
    for partition in (0, 1):
        lease = get_page_cache().lease(partition, "some page")
        assert lease is not None
        get_page_cache().store(lease, b"body", b"answer", [(name, 0)])
    keys = {f"{p}": f"{prefix}:{{{p}}}:counter:{name}" for p in (0, 1)}
    return lambda: {p: server.get(key) for p, key in keys.items()}  # type: ignore[misc]


Copies = Callable[[], dict[str, bytes | None]]


def applied(target: Page | Content, counter: int, committed: float) -> Applied:
    return Applied(counted_as(type(target)), 1, 1, {}, {target.pk: counter}, committed)


def test_flush_raises_the_copies_in_every_partition(
    page: Page, contents: list[Content], copies: Copies
) -> None:
    record(page, contents)
    flush()
    assert copies() == {"0": b"1", "1": b"1"}


def test_flusher_that_knows_where_copies_are_asks_no_other_partition(
    page: Page, contents: list[Content], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowing: defaultdict[str, Locations] = defaultdict(lambda: Locations(life=0))
    monkeypatch.setattr(publish, "locations", knowing.__getitem__)
    here = f"{partition_for(f'pages.page:{page.pk}')}"
    record(page, contents)
    flush()
    assert {p: copy for p, copy in copies().items() if copy == b"1"} == {here: b"1"}


def test_suspended_publisher_changes_nothing(contents: list[Content], copies: Copies) -> None:
    now = time.monotonic()
    publish.increase_counters([applied(contents[0], 5, now - publish.MAX_AGE_SECONDS - 1)])
    assert copies() == {"0": b"0", "1": b"0"}
    publish.increase_counters([applied(contents[0], 5, now)])
    publish.increase_counters([applied(contents[0], 4, now)])
    assert copies() == {"0": b"5", "1": b"5"}


def test_counts_do_not_need_the_copies(
    page: Page, contents: list[Content], settings: Settings, copies: Copies
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    record(page, contents)

    flush()

    page.refresh_from_db()
    assert page.counter == 1
    settings.COUNTERS_LOG_URL = os.environ["REDIS_URL"]
    record(page, contents)
    flush()
    assert copies() == {"0": b"2", "1": b"2"}


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The partitions of which nothing can be told, as when their server in a cluster is dead."""
    dead: set[int] = set()

    def fail_where_dead(works: Callable[..., object]) -> Callable[..., object]:
        def call(page_cache: PageCache, partition: int, argument: object) -> object:
            if partition in dead:
                raise LogError("its server is dead")
            return works(page_cache, partition, argument)

        return call

    for name in ("increase_counters", "set_tombstone", "invalidate"):
        monkeypatch.setattr(PageCache, name, fail_where_dead(getattr(PageCache, name)))
    return dead


def test_counters_of_one_model_are_told_though_those_of_another_cannot_be(
    page: Page, contents: list[Content], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = publish.increase_counters

    def fail(all_applied: Sequence[Applied]) -> None:
        works(all_applied)
        raise LogError("one server of the cluster is dead")

    monkeypatch.setattr(publish, "increase_counters", fail)

    now = time.monotonic()
    publish.publish([applied(page, 5, now), applied(contents[0], 5, now)])

    assert copies() == {"0": b"5", "1": b"5"}


def test_pages_whose_counters_could_not_be_told_are_discarded(
    contents: list[Content], copies: Copies, dead: set[int]
) -> None:
    dead.add(0)
    publish.publish([applied(contents[0], 5, time.monotonic())])

    wait_until(lambda: 0 not in get_page_cache().distrusted, 10)

    assert copies() == {"0": b"0", "1": b"5"}
    assert get_log().append_cached(0, "some page", 0) is None
    assert get_log().append_cached(1, "some page", 0)


def test_pages_are_discarded_after_a_publisher_was_suspended(
    contents: list[Content], copies: Copies
) -> None:
    late = time.monotonic() - publish.MAX_AGE_SECONDS - 1
    publish.publish([applied(contents[0], 5, late)])
    wait_until(lambda: 0 not in get_page_cache().distrusted, 10)
    assert get_log().append_cached(0, "some page", 0) is None


def test_an_edit_shows_though_an_earlier_one_cannot_be_told_to_its_server(
    page: Page, contents: list[Content], dead: set[int]
) -> None:
    def partition(page: Page) -> int:
        return partition_for(f"pages.page:{page.pk}")

    others = iter(lambda: Page.objects.create(title="Another page"), None)
    other = next(other for other in others if partition(other) != partition(page))
    for one in (page, other):
        lease = cached_pages.lease(Page, one.pk)
        assert lease is not None
        cached_pages.fill(lease, one, contents, b"before the edit")
    dead.add(partition(page))

    for one in (page, other):
        invalidate(Page, [one.pk])
    send_invalidations()

    assert cached_pages.read_and_record(Page, other.pk) is None
    assert cached_pages.read_and_record(Page, page.pk) is not None
    assert {row.target_id for row in Invalidation.objects.all()} == {page.pk}


def test_a_counter_that_went_down_is_told_until_every_server_knows(
    contents: list[Content], copies: Copies, dead: set[int]
) -> None:
    send_invalidations()
    dead.add(0)
    invalidate(Content, [contents[0].pk], counter_lowered=True)
    send_invalidations()
    assert copies() == {"0": b"0", "1": b"-"}
    assert Invalidation.objects.exists()

    dead.clear()
    send_invalidations()

    assert copies() == {"0": b"-", "1": b"-"}
    assert not Invalidation.objects.exists()


def test_without_redis_nothing_is_cached(
    page: Page, contents: list[Content], settings: Settings
) -> None:
    lease = cached_pages.lease(Page, page.pk)
    assert lease is not None
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    cached_pages.fill(lease, page, contents, b"answer")
    cached_pages.release(lease)

    assert cached_pages.lease(Page, page.pk) is None
    with pytest.raises(LogError):
        cached_pages.read_and_record(Page, page.pk)

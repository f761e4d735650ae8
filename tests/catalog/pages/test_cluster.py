"""Reading pages with the log in a Redis Cluster."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from pytest_django import Settings

from catalog.pages.models import Page
from footfall.cache.entries import get_page_cache
from footfall.eventlog.cluster import topology
from footfall.flush import flush_all
from footfall.log import get_log
from footfall.models import Spilled
from footfall.ops.status import status
from tests.support.pages import make_contents, make_page
from tests.support.redis_cluster import RedisCluster

PARTITIONS, READS = 8, 5


@pytest.fixture(autouse=True)
def clustered(cluster: RedisCluster, settings: Settings) -> Any:
    topology.cache_clear()
    settings.COUNTERS_LOG_URL = cluster.url
    settings.COUNTERS_LOG_PREFIX = f"test-{uuid4().hex}"
    settings.COUNTERS_PARTITIONS = PARTITIONS
    yield
    get_log().close()
    get_page_cache().close()
    cluster.forget(settings.COUNTERS_LOG_PREFIX)


@pytest.mark.django_db(transaction=True)
def test_every_view_is_counted_once_whichever_master_has_its_partition() -> None:
    pages = [make_page(*make_contents(2)) for _ in range(12)]

    def read(page: Page) -> int:
        try:
            return Client().get(f"/api/v1/pages/{page.pk}/").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(read, pages * READS)) == {200}
    lengths = [get_log().length(partition) for partition in range(PARTITIONS)]
    before = status()
    flush_all()

    assert sum(lengths) == before.pending == len(pages) * READS
    assert len([length for length in lengths if length]) > 3
    ours = Page.objects.filter(pk__in=[page.pk for page in pages])
    assert set(ours.values_list("counter", "placements__content__counter")) == {(READS, READS)}
    assert not Spilled.objects.exists()
    assert status().pending == 0


@pytest.mark.django_db
def test_a_prepared_page_shows_what_was_flushed(client: Client) -> None:
    page = make_page(*make_contents(2))

    def counters() -> list[int]:
        found = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]
        return [content["counter"] for content in found]

    assert counters() == counters() == [0, 0]
    flush_all()
    assert counters() == [2, 2]
    flush_all()
    assert counters() == [3, 3]

"""A page is cached in Redis after the first read: its responses, and what is counted."""

import json
import os
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from catalog.pages import queries, views
from catalog.pages.models import Content, Page
from footfall.cache import cached_pages, entries
from footfall.cache.entries import get_page_cache
from footfall.flush import flush, flush_all
from footfall.log import get_log
from footfall.models import Audit, Spilled
from footfall.ops.audit.run import differences, run_audit
from loadtest.common.waiting import wait_until
from tests.catalog.pages.reading import Reader
from tests.support import databases
from tests.support.concurrency import run_at_once
from tests.support.pages import make_contents, make_page, make_text
from tests.support.proxy import Fault, Proxy

pytestmark = pytest.mark.django_db

TEMPLATE = b'{"url": %b, "contents": [{"counter": %b}, {"counter": %b}, {"counter": %b}]}'


@pytest.fixture
def page(django_capture_on_commit_callbacks: Any) -> Page:
    with django_capture_on_commit_callbacks(execute=True):
        return make_page(*make_contents(3))


def address(page: Page) -> str:
    return f"/api/v1/pages/{page.pk}/"


def read(client: Client, page: Page) -> bytes:
    response = client.get(address(page))
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    return bytes(response.content)


def counters(client: Client, page: Page) -> list[int]:
    return [content["counter"] for content in client.get(address(page)).json()["contents"]]


def test_prepared_page_takes_no_query_and_one_call_of_redis(
    client: Client,
    page: Page,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read(client, page)
    sent: list[object] = []
    send: Any = redis.connection.AbstractConnection.send_packed_command

    def watched(self: object, command: object, *args: object, **kwargs: object) -> object:
        sent.append(command)
        return send(self, command, *args, **kwargs)

    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", watched)

    with django_assert_num_queries(0):
        read(client, page)

    assert len(sent) == 1


def test_prepared_answer_is_the_same_to_the_byte(client: Client) -> None:
    a = make_text('100 % "wool" \\ %b %s \u2028 ёж {} <b>')
    page = make_page(a, *make_contents(2), a, title="%d % 'of' it \N{SNOWMAN}")
    Content.objects.filter(pk=a.pk).update(counter=12_345_678_901)

    first, second = read(client, page), read(client, page)

    assert first == second
    head = client.head(address(page))
    assert head.headers["Content-Length"] == str(len(second))
    assert client.get(address(page)).headers["Content-Length"] == str(len(second))


def test_every_read_is_counted(client: Client, page: Page) -> None:
    for _ in range(5):
        read(client, page)

    flush_all()

    assert counters(client, page) == [5, 5, 5]
    page.refresh_from_db()
    assert page.counter == 5
    assert not list(differences())


def test_counters_of_shared_contents_are_fresh_on_every_page(
    client: Client, settings: Settings
) -> None:
    settings.COUNTERS_PARTITIONS = 3
    a, b, c = make_contents(3)
    pages = [make_page(a, b, a), make_page(c, a), make_page(b), make_page(a), make_page()]
    for _ in range(2):
        for page in pages:
            read(client, page)

    flush_all()

    assert [counters(client, page) for page in pages] == [[6, 4, 6], [2, 6], [4], [6], []]


def test_content_without_a_type_is_prepared_too(client: Client) -> None:
    page = make_page(Content.objects.create(title="An orphan"))
    assert read(client, page) == read(client, page)


def test_url_has_the_host_that_was_asked(client: Client, page: Page) -> None:
    for host in ("localhost", "127.0.0.1:8000", "localhost"):
        response = client.get(address(page), headers={"host": host})
        assert response.json()["url"] == f"http://{host}{address(page)}"


def test_host_that_is_not_allowed_is_400_and_counts_nothing(client: Client, page: Page) -> None:
    read(client, page)
    assert client.get(address(page), headers={"host": "evil.example"}).status_code == 400
    assert flush_all() == 1


def test_https_is_still_seen_to(client: Client, page: Page, settings: Settings) -> None:
    read(client, page)
    assert client.get(address(page)).headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(address(page)).headers["X-Frame-Options"] == "DENY"
    settings.SECURE_SSL_REDIRECT = True
    assert Reader().get(address(page)).status_code == 301
    assert flush_all() == 3


def test_other_requests_count_nothing(client: Client, page: Page) -> None:
    read(client, page)

    assert client.head(address(page)).status_code == 200
    assert client.options(address(page)).status_code == 200
    assert client.post(address(page)).json() == {"detail": 'Method "POST" not allowed.'}
    assert client.get(address(page), headers={"accept": "text/csv"}).status_code == 406

    assert flush_all() == 1


def test_reader_who_asks_for_another_form_gets_it(client: Client, page: Page) -> None:
    plain = read(client, page)
    indented = client.get(address(page), headers={"accept": "application/json; indent=2"})
    browser = client.get(address(page), headers={"accept": "text/html,*/*;q=0.8"})
    assert indented.content.startswith(b'{\n  "id"')
    assert browser.headers["Content-Type"] == "text/html; charset=utf-8"
    assert json.loads(plain)["title"] in browser.content.decode()
    assert flush_all() == 3


def test_page_that_is_missing_is_seen_once_it_is_there(client: Client) -> None:
    for _ in range(2):
        assert client.get("/api/v1/pages/987654321/").status_code == 404
    page = Page.objects.create(pk=987654321, title="New")
    assert read(client, page)
    assert flush_all() == 1


def test_herd_before_a_cold_page_renders_it_once(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    # On a busy machine one of them would lose patience, as it should in production.
    monkeypatch.setattr(entries, "WAIT_SECONDS", 50)
    monkeypatch.setattr(entries, "LEASE_MS", 50_000)
    settings.COUNTERS_LOG_TIMEOUT_SECONDS = 20.0
    page = make_page(*make_contents(3))
    loads: list[int] = []

    def counted(pk: int) -> queries.LoadedPage:
        loads.append(pk)
        return queries.load_page(pk)

    monkeypatch.setattr(views, "load_page", counted)

    run_at_once([lambda: read(Reader(), page)] * 12)

    assert loads == [page.pk]
    assert flush_all() == 12


@pytest.mark.parametrize("lost", ["cached:*", "counter:*", "*"])
def test_what_redis_loses_costs_only_time(
    client: Client, page: Page, server: redis.Redis, settings: Settings, lost: str
) -> None:
    read(client, page)
    flush()
    for key in server.scan_iter(f"{settings.COUNTERS_LOG_PREFIX}:*:{lost}"):
        server.delete(key)

    assert counters(client, page) == counters(client, page) == [1, 1, 1]

    flush()
    assert counters(client, page) == [3, 3, 3]


def test_error_from_redis_is_answered_from_the_database(
    client: Client, page: Page, server: redis.Redis, settings: Settings
) -> None:
    before = read(client, page)
    for key in server.scan_iter(f"{settings.COUNTERS_LOG_PREFIX}:*:cached:*"):
        server.set(key, "of the wrong type")

    assert read(client, page) == before

    assert not Spilled.objects.exists()  # Redis answers
    assert flush_all() == 2


@pytest.mark.parametrize("fault", [Fault.SWALLOW, Fault.CUT_AFTER, Fault.CUT_BEFORE])
def test_view_whose_reply_is_lost_is_counted_once(
    client: Client, page: Page, proxy: Proxy, fault: Fault, settings: Settings
) -> None:
    before = read(client, page)
    proxy.fault = fault

    assert read(client, page) == before

    assert Spilled.objects.get().event_id is not None
    settings.COUNTERS_LOG_URL = os.environ["REDIS_URL"]
    flush_all()
    assert counters(client, page) == [2, 2, 2]


def test_prepared_page_is_answered_without_the_database(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, other = make_page(make_text()), make_page()
    before = read(client, page)
    databases.take_away(monkeypatch)

    after, unprepared = read(client, page), client.get(address(other))

    monkeypatch.undo()
    connection.close()
    assert after == before
    assert unprepared.status_code == 503
    assert flush_all() == 2


@pytest.mark.parametrize("fault", [Fault.SWALLOW, Fault.CUT_AFTER, Fault.CUT_BEFORE])
def test_counters_do_not_go_back_when_redis_does(
    client: Client, page: Page, proxy: Proxy, fault: Fault
) -> None:
    """While it was away, other views were counted, and could not be published."""
    read(client, page)
    read(client, page)
    proxy.fault = fault
    Content.objects.filter(placements__page=page).update(counter=70)
    assert counters(client, page) == [70, 70, 70]

    proxy.fault = Fault.NONE
    get_log().breaker.succeeded()

    assert counters(client, page) == [70, 70, 70]
    wait_until(lambda: not any(p in get_page_cache().distrusted for p in range(8)), 10)
    assert counters(client, page) == [70, 70, 70]


def test_counters_do_not_go_back_after_one_broken_connection(
    client: Client, page: Page, server: redis.Redis
) -> None:
    read(client, page)
    read(client, page)
    Content.objects.filter(placements__page=page).update(counter=70)
    server.client_kill_filter(_type="normal", skipme=True)
    assert counters(client, page) == [70, 70, 70]

    get_log().breaker.succeeded()

    assert not any(partition in get_page_cache().distrusted for partition in range(8))
    assert counters(client, page) == [70, 70, 70]


def test_counters_do_not_go_back_when_a_slow_reader_stores_the_page(
    client: Client, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "WAIT_SECONDS", 0)
    lease = cached_pages.lease(Page, page.pk)
    assert lease
    slow = queries.load_page(page.pk)
    Content.objects.filter(placements__page=page).update(counter=70)
    assert counters(client, page) == [70, 70, 70]

    cached_pages.fill(lease, *slow, TEMPLATE)

    assert counters(client, page) == [70, 70, 70]


def test_full_log_spills(client: Client, page: Page, settings: Settings) -> None:
    settings.COUNTERS_LOG_MAX_BYTES = 8 * 6_500
    for _ in range(60):
        read(client, page)
    assert 0 < Spilled.objects.count() < 60
    assert flush_all() == 60


def test_pages_for_which_there_is_no_room_are_answered(
    client: Client,
    page: Page,
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.COUNTERS_CACHE_MAX_BYTES = 1
    before = read(client, page)
    with django_assert_num_queries(2):
        assert read(client, page) == before
    assert flush_all() == 2


def test_counter_that_was_mended_shows_at_once(
    client: Client, page: Page, django_capture_on_commit_callbacks: Any
) -> None:
    read(client, page)
    flush()
    Content.objects.filter(placements__page=page).update(counter=70)
    assert counters(client, page) == [1, 1, 1]
    with django_capture_on_commit_callbacks(execute=True):
        list(run_audit(Audit(), repair=True))
    assert counters(client, page) == [1, 1, 1]

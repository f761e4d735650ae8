"""Whichever way a view is recorded, its event says who viewed; and never from which address."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.apps import apps
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from catalog.books.models import Book
from catalog.pages.models import Page
from footfall.events import decode, decode_meta
from footfall.flush import flush_all
from footfall.models import Agent, DeadLetter, Spilled
from footfall.models.viewers import unsigned
from footfall.record import record
from footfall.viewers.addresses import packed, prefix
from footfall.viewers.agents import hash_of
from tests.catalog.pages.reading import Reader
from tests.support.proxy import Fault, Proxy
from tests.support.store import all_stored
from tests.support.visits import visitor_of

pytestmark = pytest.mark.django_db
ADDRESS, OTHER_ADDRESS = "203.0.113.77", "2001:db8:77:88::99"
COOKIE = "a-cookie-that-is-kept-nowhere"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HEADERS = {"User-Agent": FIREFOX, "Cookie": f"sessionid={COOKIE}", "Host": "testserver"}
SALT = bytes(32)
"""Of the fixture `known_salts`."""


def fast(page: Page) -> None:
    """Read a cached page."""
    assert Reader().get(f"/api/v1/pages/{page.pk}/", headers=HEADERS, REMOTE_ADDR=ADDRESS).content


def long(page: Page) -> None:
    """Read a page that is not cached."""
    address = reverse("page-detail", args=[page.pk])
    accept = {"Accept": "text/html"}
    answer = Client().get(address, headers={**HEADERS, **accept}, REMOTE_ADDR=ADDRESS)
    assert answer.status_code == 200


def book(page: Page) -> None:
    one, _ = Book.objects.get_or_create(title="A book", author="Who", year=2020)
    address = reverse("book-detail", args=[one.pk])
    answer = Client().get(address, headers=HEADERS, REMOTE_ADDR=ADDRESS)
    assert answer.status_code == 200


def reported(page: Page) -> None:
    """As a browser reports a page that a CDN has answered."""
    body = {"views": [{"page": page.pk, "id": f"{uuid4()}"}]}
    address = reverse("views")
    answer = Client().post(address, body, "application/json", headers=HEADERS, REMOTE_ADDR=ADDRESS)
    assert answer.status_code == 202, answer.content


def repeatable(page: Page) -> None:
    """With a key, so that it can be repeated."""
    headers = {**HEADERS, "Idempotency-Key": uuid4().hex}
    assert Reader().get(f"/api/v1/pages/{page.pk}/", headers=headers, REMOTE_ADDR=ADDRESS).content


def own_view(page: Page) -> None:
    """As a view of another project does it."""
    record(page, request=RequestFactory().get("/", headers=HEADERS, REMOTE_ADDR=ADDRESS))


def in_transaction(page: Page) -> None:
    with transaction.atomic():
        own_view(page)


WAYS: tuple[Callable[[Page], None], ...] = (
    fast, long, book, reported, repeatable, own_view, in_transaction,
)  # fmt: skip


@pytest.fixture
def expected() -> tuple[int, int]:
    """Visitor and agent."""
    client = prefix(packed(ADDRESS))
    visitor = visitor_of(client, FIREFOX, "testserver", SALT)
    return int.from_bytes(visitor, "big"), hash_of(b"\0" + FIREFOX.encode())


def stored() -> set[tuple[int, int]]:
    """Return visitor and agent of all events in the store."""
    metas = [decode_meta(one.meta) for one in all_stored()]
    return {(meta.visitor, meta.agent) for meta in metas}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_view_has_its_visitor_and_agent(
    way: Callable[[Page], None], page: Page, expected: tuple[int, int]
) -> None:
    for _ in range(3):
        way(page)

    assert flush_all() == 3
    assert stored() == {expected}
    assert [unsigned(one.hash) for one in Agent.objects.filter(string=FIREFOX)] == [expected[1]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", [fast, own_view, in_transaction], ids=lambda way: way.__name__)
@pytest.mark.parametrize("fault", [Fault.SWALLOW, Fault.CUT_BEFORE], ids=str)
def test_a_spilled_view_has_them_too(
    way: Callable[[Page], None],
    fault: Fault,
    page: Page,
    proxy: Proxy,
    expected: tuple[int, int],
) -> None:
    way(page)  # it is cached then
    proxy.fault = fault
    way(page)
    proxy.fault = Fault.NONE

    assert Spilled.objects.count() == 1
    flush_all()
    assert stored() == {expected}


def test_without_a_request_none_is_known(page: Page) -> None:
    record(page)
    flush_all()

    assert stored() == {(0, 0)}


@pytest.mark.django_db(transaction=True)
def test_no_address_and_no_cookie_is_kept_anywhere(
    page: Page,
    server: redis.Redis,
    prefix: str,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    others: Any = {"REMOTE_ADDR": OTHER_ADDRESS, "HTTP_X_FORWARDED_FOR": ADDRESS}
    for way in WAYS:
        way(page)
    Client().get(f"/api/v1/pages/{page.pk}/", headers=HEADERS, **others)
    before = "\n".join(map(repr, in_redis(server, prefix)))
    flush_all()
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    own_view(page)
    record(Page(pk=page.pk), request=RequestFactory().get("/", headers=HEADERS, **others))
    DeadLetter.objects.create(partition=0, at=0, body=b"", meta=Spilled.objects.all()[0].meta)

    kept = "\n".join([before, *map(repr, in_tables()), caplog.text])

    assert FIREFOX in kept  # so it is looked at where things are
    assert decode(all_stored()[0].body)
    for address in (ADDRESS, OTHER_ADDRESS):
        assert address not in kept
        assert repr(packed(address))[2:-1] not in kept
        assert repr(packed(address)[:8])[2:-1] not in kept
    assert COOKIE not in kept


def in_redis(server: redis.Redis, prefix: str) -> Iterator[object]:
    for key in server.scan_iter(f"{prefix}*"):
        yield key
        match server.type(key):
            case b"stream":
                yield server.xrange(key)
            case b"list":
                yield server.lrange(key, 0, -1)
            case b"hash":
                yield server.hgetall(key)
            case b"set" | b"zset":
                yield [*server.sscan_iter(key)]
            case _:
                yield server.get(key)


def in_tables() -> Iterator[object]:
    for model in apps.get_app_config("counters").get_models():
        for row in model._default_manager.values():
            yield {name: bytes(one) if isinstance(one, memoryview) else one
                   for name, one in row.items()}  # fmt: skip
    yield [one.meta for one in all_stored()]

"""A read that is repeated with its `Idempotency-Key` counts once."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from catalog.pages.models import Page
from footfall.flush import flush_all
from footfall.log import get_log
from tests.catalog.pages.reading import Reader
from tests.support.pages import make_contents, make_page
from tests.support.proxy import Fault, Proxy

pytestmark = pytest.mark.django_db

KEY = "0123456789abcdef"
OTHER = "A-Z_a-z_0-9_" + "x" * 52


@pytest.fixture
def page() -> Page:
    return make_page(*make_contents(2))


def read(client: Client, page: Page, key: str | None = KEY, **headers: str) -> int:
    sent = headers if key is None else {"Idempotency-Key": key, **headers}
    answer = client.get(f"/api/v1/pages/{page.pk}/", headers=sent)
    assert answer.status_code != 200 or page.title in answer.content.decode()
    return int(answer.status_code)


def counted(page: Page) -> int:
    flush_all()
    (counter,) = {Page.objects.get(pk=page.pk).counter} | {
        *page.placements.values_list("content__counter", flat=True)
    }
    return int(counter)


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_repeated_read_counts_once(client: Client, page: Page, accept: str) -> None:
    """The first is read from the database, and the others from the cache, where that suits."""
    for _ in range(3):
        assert read(client, page, accept=accept) == 200
    flush_all()
    assert read(client, page, accept=accept) == 200

    assert counted(page) == 1


def test_reads_with_other_keys_or_none_count(client: Client, page: Page) -> None:
    for key in (KEY, None, OTHER, None, KEY, OTHER):
        read(client, page, key)

    assert counted(page) == 4


def test_a_key_is_one_of_its_page(client: Client, page: Page) -> None:
    other = make_page(*make_contents(1))
    for one in (page, other, page, other):
        read(client, one)

    assert (counted(page), counted(other)) == (1, 1)


def test_a_client_without_an_address_reads_too(page: Page) -> None:
    """As behind a Unix socket."""
    client = Reader(REMOTE_ADDR=None)
    for _ in range(3):
        assert read(client, page) == 200

    assert counted(page) == 1


@pytest.mark.parametrize(
    ("first", "second", "times"),
    [
        ({}, {"User-Agent": "other"}, 2),
        ({"Authorization": "Token abc"}, {}, 2),
        ({"Authorization": "Token abc"}, {"Authorization": "Token abd"}, 2),
        ({"Authorization": "Token abc"}, {"Authorization": "token  abc", "User-Agent": "other"}, 1),
        ({"Authorization": "Basic abc"}, {"Authorization": "Basic abd"}, 1),
    ],
)
def test_a_key_is_one_of_its_client(
    client: Client, page: Page, first: dict[str, str], second: dict[str, str], times: int
) -> None:
    for headers in (first, second, first, second):
        read(client, page, **headers)

    assert counted(page) == times


@pytest.mark.parametrize(
    ("first", "second", "times"),
    [
        ("192.0.2.1", "192.0.2.2", 2),
        ("2001:db8::1", "2001:db8::2", 1),
        ("2001:db8::1", "2001:db8:0:1::1", 2),
    ],
)
def test_addresses_of_one_network_are_one_client(
    client: Client, page: Page, first: str, second: str, times: int
) -> None:
    headers = {"Idempotency-Key": KEY}
    for address in (first, second):
        client.get(f"/api/v1/pages/{page.pk}/", headers=headers, REMOTE_ADDR=address)

    assert counted(page) == times


@pytest.mark.parametrize("key", ["", "short", "x" * 15, "x" * 65, KEY + "\n", KEY + "é", KEY + "."])
def test_a_malformed_key_is_refused(client: Client, page: Page, key: str) -> None:
    read(client, page, None)

    assert read(client, page, key) == 400
    assert counted(page) == 1


def test_head_counts_nothing_with_a_key_either(client: Client, page: Page) -> None:
    address = f"/api/v1/pages/{page.pk}/"

    for key in (KEY, "short"):
        answer = client.head(address, headers={"Idempotency-Key": key})
        assert answer.status_code == 200
    assert counted(page) == 0
    read(client, page)
    assert counted(page) == 1


def test_one_call_of_redis_with_a_key_too(
    client: Client, page: Page, server: Any, prefix: str
) -> None:
    read(client, page)
    commands: list[str] = []
    with server.monitor() as monitor:
        read(client, page)
        server.echo("end")
        for one in monitor.listen():
            if one["command"] == "ECHO end":
                break
            if prefix in one["command"] and one["client_type"] != "lua":
                commands.append(one["command"].split()[0])

    assert commands == ["EVALSHA"]


def test_a_read_without_an_answer_from_redis_is_counted_once(
    client: Client, page: Page, proxy: Proxy, settings: Settings
) -> None:
    """The view goes to the spill, with its key; and it is in the log as well."""
    read(client, page, None)
    proxy.fault = Fault.SWALLOW
    read(client, page)
    proxy.fault = Fault.NONE
    get_log().breaker.succeeded()
    read(client, page)

    assert counted(page) == 2

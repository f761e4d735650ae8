"""Visitor and agent, from a request."""

from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as some
from pytest_django import Settings

from footfall.events import Meta, decode_meta
from footfall.models import How
from footfall.viewers.agents import Told, hash_of
from footfall.viewers.memory import MAX_AGENTS, Memory, memory
from footfall.viewers.request import viewer_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def seen(
    address: str = "192.0.2.1", agent: str = FIREFOX, host: str = "a.example", **headers: str
) -> Meta:
    """Return what is told of a request."""
    environ = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent, "HTTP_HOST": host, **headers}
    return decode_meta(viewer_of(environ))


def test_who_comes_again_is_the_same_visitor() -> None:
    assert seen().visitor == seen().visitor != 0
    assert seen("2001:db8::1").visitor == seen("2001:db8::2").visitor
    assert seen(host="A.Example").visitor == seen().visitor


@pytest.mark.parametrize(
    "other",
    [{"address": "192.0.2.2"}, {"agent": "Firefox/141"}, {"host": "b.example"}],
    ids=lambda other: next(iter(other)),
)
def test_who_differs_is_another(other: dict[str, str]) -> None:
    assert seen(**other).visitor != seen().visitor


def test_an_agent_is_the_same_wherever_it_comes_from() -> None:
    assert seen("192.0.2.1").agent == seen("192.0.2.9", host="b.example").agent
    assert seen().agent == hash_of(Told(How.PLAIN, FIREFOX).encode())
    assert seen(agent="").agent not in {0, seen().agent}


def test_an_environ_a_request_and_none() -> None:
    request = RequestFactory().get("/", headers={"User-Agent": FIREFOX, "Host": "a.example"})
    request.META["REMOTE_ADDR"] = "192.0.2.1"

    assert decode_meta(viewer_of(request)) == decode_meta(viewer_of(request.environ)) == seen()
    assert viewer_of(None) == b""


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"HTTP_PURPOSE": "Prefetch"},
        {"HTTP_X_MOZ": "prefetch"},
        {"HTTP_X_PURPOSE": "preview"},
        {"HTTP_PURPOSE": "x", "HTTP_X_MOZ": "prefetch"},
    ],
    ids=str,
)
def test_a_prefetch_is_an_agent_of_its_own(headers: dict[str, str]) -> None:
    prefetch = seen(**headers)

    assert prefetch.agent == hash_of(Told(How.PREFETCH, FIREFOX).encode()) != seen().agent
    assert prefetch.visitor == seen().visitor


def test_another_purpose_is_none() -> None:
    assert seen(HTTP_PURPOSE="reading").agent == seen().agent


def test_the_address_is_the_one_before_trusted_proxies(settings: Settings) -> None:
    forwarded = {"HTTP_X_FORWARDED_FOR": "192.0.2.66, 192.0.2.7"}
    assert seen(**forwarded).visitor == seen().visitor

    settings.COUNTERS_PROXIES = 1
    assert seen(**forwarded).visitor == seen("192.0.2.7").visitor


def test_visitors_can_be_switched_off(settings: Settings) -> None:
    settings.COUNTERS_VISITORS = False

    assert seen().visitor == 0
    assert seen().agent != 0


@pytest.mark.parametrize("header", ["HTTP_DNT", "HTTP_SEC_GPC"])
def test_who_asks_not_to_be_tracked_is_no_visitor_if_that_is_wanted(
    settings: Settings, header: str
) -> None:
    assert seen(**{header: "1"}).visitor != 0

    settings.COUNTERS_HONOUR_DNT = True

    assert (seen(**{header: "1"}).visitor, seen(**{header: "1"}).agent) == (0, seen().agent)
    assert seen(**{header: "0"}).visitor == seen().visitor != 0


def test_agents_can_be_switched_off(settings: Settings) -> None:
    settings.COUNTERS_AGENTS_PER_DAY = 0

    assert (seen().agent, seen().told) == (0, b"")
    assert seen().visitor != 0


def test_the_string_is_told_for_some_seconds_and_again_after_an_hour() -> None:
    known, headers = Memory(), ("192.0.2.1", FIREFOX, "a.example", *[None] * 9)

    seconds = (1000.0, 1004.9, 1005.0, 4599.0, 4600.0, 4606.0)
    metas = [decode_meta(known.look(headers, now)) for now in seconds]

    assert [bool(meta.told) for meta in metas] == [True, True, False, False, True, False]
    assert {meta._replace(told=b"") for meta in metas} == {metas[2]}


def test_a_string_is_cut_and_has_no_control_characters() -> None:
    assert Told.decode(seen(agent="a\0b\x1b[31m\xc2\x9bc\n").told).string == "a b [31m c"
    assert Told.decode(seen(agent="x" * 10_000).told).string == "x" * 256
    assert seen(agent="x" * 257).agent == seen(agent="x" * 256).agent
    utf8 = "Größer/1 日本".encode().decode("latin-1")  # as WSGI has it
    assert Told.decode(seen(agent=utf8).told).string == "Größer/1 日本"
    assert Told.decode(seen(agent="caf\xe9").told).string == "caf\ufffd"


@given(some.dictionaries(
    some.sampled_from(["REMOTE_ADDR", "HTTP_USER_AGENT", "HTTP_HOST", "HTTP_PURPOSE"]), some.text()
))  # fmt: skip
def test_any_request_is_of_someone(environ: dict[str, Any]) -> None:
    meta = decode_meta(viewer_of(environ))

    assert meta.visitor
    assert hash_of(meta.told) == meta.agent
    assert len(Told.decode(meta.told).string) <= 256


def test_made_up_clients_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footfall.viewers.memory.MAX_REMEMBERED", 100)
    known = memory()
    known.look(("192.0.2.1", "x", *[None] * 10), 0.0)

    for number in range(1_000):
        known.look((f"10.1.{number}", "x", *[None] * 10), 10.0)
    for number in range(MAX_AGENTS + 1):
        known.look((None, f"{number}", *[None] * 10), 10.0)

    assert 100 <= len(known.metas) + len(known._older) <= 200
    assert known._agent.cache_info().currsize == MAX_AGENTS
